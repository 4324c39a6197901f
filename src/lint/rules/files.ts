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
    find: ({ files, goFiles }) => {
      // A key that tests name is theirs, wherever it lies.
      const tests = goFiles.filter(({ isTest }) => isTest)
      return files.flatMap((file): Remark[] => {
        const { path, text } = file
        const name = path.split('/').at(-1) ?? ''
        if (!file.isTracked || text === undefined || isAside(path.split('/').slice(0, -1).join('/')) || isExample(name))
          return []
        const key = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*[A-Za-z0-9+/=:\s,-]{100}/.exec(text)
        if (key !== null && tests.some((test) => test.text.includes(name))) return []
        if (key !== null) return [{ file: path, line: lineAt(text, key.index), message: 'a private key' }]
        if (!/^\.env(?:\.|$)/.test(name)) return []
        return text.split('\n').flatMap((line, index): Remark[] => {
          const [, variable, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line) ?? []
          if (variable === undefined || !isSecretName(variable) || !isSecretValue(value)) return []
          return [{ file: path, line: index + 1, message: variable }]
        })
      })
    },
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
      const endings = new Set([...names].map((name) => name.split('.').at(-1) ?? ''))
      const byPlace = new Map<string, { remark: Remark; count: number }>()
      for (const file of goFiles) {
        if (!file.isGenerated || file.isIgnored) continue
        const match = generatedFrom.exec(file.text.slice(0, 2000))
        const source = match?.[1]?.split('/').at(-1) ?? ''
        if (match === null || source === '' || names.has(source)) continue
        // Where no source of the kind is here at all, they are all kept elsewhere: that is said once.
        const ending = source.split('.').at(-1) ?? ''
        const place = endings.has(ending) ? `${file.folder} ${ending}` : ending
        const known = byPlace.get(place)
        const remark = known?.remark ?? {
          file: file.path,
          line: lineAt(file.text, match.index),
          message: `made of ${match[1] ?? ''}`,
        }
        byPlace.set(place, { remark, count: (known?.count ?? 0) + 1 })
      }
      return [...byPlace.values()].map(({ remark, count }) =>
        count === 1 ? remark : { ...remark, message: `${remark.message}, and ${count - 1} more like it` },
      )
    },
  },
]

/** What generators write of where it comes from: protoc, sqlc, templ, goyacc and others. */
const generatedFrom =
  /^\/\/\s*[Ss]ource: ([\w./-]+\.(?:proto|sql|templ|graphqls?|y|rl|fbs|thrift|avsc|cue|capnp|asn1?))\s*$/m

function isExample(name: string): boolean {
  return /^(?:test|benchmark|example|dummy|fake)|(?:example|sample|template|dist|defaults?|schema|tpl|tmpl|test|ci)\b/i.test(
    name.replace(/^\.env/, ''),
  )
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
