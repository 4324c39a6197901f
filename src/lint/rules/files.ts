import { lineAt } from '../go-text.ts'
import type { Remark, Rule } from '../rule.ts'
import { isAside } from '../tree.ts'

/** What lies in the repository beside the code. */
export const fileRules: readonly Rule[] = [
  {
    id: 'secret-tracked',
    severity: 'breaks',
    title: 'A secret that git has',
    why: 'Everybody with a clone has it, now and in every later clone: taking the file out of the next commit does not take it back.',
    remedy:
      'Revoke it and make a new one; `git rm --cached FILE`, a line in .gitignore, and the value by `fairway secret set KEY`.',
    find: ({ files }) =>
      files.flatMap((file): Remark[] => {
        const { path, text } = file
        const name = path.split('/').at(-1) ?? ''
        if (!file.isTracked || text === undefined || isAside(path.split('/').slice(0, -1).join('/')) || isExample(name))
          return []
        const key = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*[A-Za-z0-9+/=:\s,-]{100}/.exec(text)
        if (key !== null) return [{ file: path, line: lineAt(text, key.index), message: 'a private key' }]
        if (!/^\.env(?:\.|$)/.test(name)) return []
        return text.split('\n').flatMap((line, index): Remark[] => {
          const [, variable, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line) ?? []
          if (variable === undefined || !isSecretName(variable) || !isSecretValue(value)) return []
          return [{ file: path, line: index + 1, message: variable }]
        })
      }),
  },
  {
    id: 'local-values-tracked',
    severity: 'hurts',
    title: 'Values of one machine that git has',
    why: 'A file .env….local overrides all others: committed, it does so on every machine, in CI and in production too.',
    remedy: 'git rm --cached FILE, and a line `.env*.local` in .gitignore.',
    find: ({ files }) =>
      files.flatMap(({ path, isTracked }): Remark[] =>
        isTracked && /(?:^|\/)\.env(?:\.[\w-]+)?\.local$/.test(path)
          ? [{ file: path, line: 0, message: 'tracked by git' }]
          : [],
      ),
  },
  {
    id: 'binary-tracked',
    severity: 'hurts',
    title: 'An executable that git has',
    why: 'Every clone carries every version of it for ever, and nobody can say of which source it was made.',
    remedy: 'git rm --cached FILE, and a line in .gitignore; releases keep binaries, by digest.',
    find: ({ files }) =>
      files.flatMap(({ path, isTracked, isExecutable, bytes }): Remark[] => {
        if (
          !isTracked ||
          isExecutable !== true ||
          /(?:^|\/)(?:testdata|vendor|third_party)\//.test(path) ||
          isAside(path)
        )
          return []
        return [{ file: path, line: 0, message: `${(bytes / 1024 / 1024).toFixed(1)} MiB` }]
      }),
  },
  {
    id: 'generated-orphan',
    severity: 'note',
    title: 'Generated code whose source is not here',
    why: 'It cannot be made again: a change must be written by hand into a file that says not to, and the next run of the generator undoes it.',
    remedy: 'Commit the source beside it, with a `//go:generate` line; or take the header away and own the code.',
    find: ({ goFiles, files }) => {
      const names = new Set(files.map(({ path }) => path.split('/').at(-1) ?? ''))
      return goFiles.flatMap((file): Remark[] => {
        if (!file.isGenerated || file.isIgnored) return []
        const head = file.text.slice(0, 2000)
        const match =
          /^\/\/\s*[Ss]ource: ([\w./-]+\.(?:proto|sql|templ|graphqls?|y|rl|fbs|thrift|avsc|cue|capnp|asn1?))\s*$/m.exec(
            head,
          )
        const [, source] = match ?? []
        if (match === null || source === undefined || names.has(source.split('/').at(-1) ?? '')) return []
        return [{ file: file.path, line: lineAt(file.text, match.index), message: `made of ${source}` }]
      })
    },
  },
]

function isExample(name: string): boolean {
  return /(?:example|sample|template|dist|defaults?|schema|tpl|tmpl|test|ci)\b/i.test(name.replace(/^\.env/, ''))
}

function isSecretName(name: string): boolean {
  return (
    /(?:SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|ENCRYPTION_?KEY)/i.test(name) &&
    !/(?:_FILE|_PATH|_URL|_NAME|_TTL|_EXPIR\w*|_LENGTH|_HEADER|_ENABLED|_DURATION)$/i.test(name)
  )
}

/** What is there to be put in place of something says so. */
function isSecretValue(value: string): boolean {
  const text = value.replace(/\s+#.*$/, '').replaceAll(/^["']|["']$/g, '')
  if (text.length < 8 || /^[${<[*]|^(?:true|false|null|none)$/i.test(text)) return false
  return !/change|your|example|placeholder|replace|dummy|todo|xxx|secret|password|postgres|development|insecure|\.\.\.|fixme|redacted/i.test(
    text,
  )
}
