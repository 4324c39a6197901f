import { parseReplaceLines } from '../../dependency/index.ts'
import type { Remark, Rule } from '../rule.ts'
import { isAside, packagesOf, type Tree, type TreeModule } from '../tree.ts'

/** What go.mod, go.work and vendor/ say. */
export const moduleRules: readonly Rule[] = [
  {
    id: 'no-module',
    severity: 'breaks',
    title: 'Go code without a go.mod',
    why: 'Since Go 1.22 nothing outside of a module is built with its dependencies, and nothing says which versions of them are meant.',
    remedy: 'go mod init example.com/NAME && go mod tidy',
    find: ({ modules, goFiles }) => {
      const first = goFiles.find(({ isIgnored, isTest }) => !isIgnored && !isTest)
      return modules.length > 0 || first === undefined
        ? []
        : [{ file: first.path, line: 0, message: 'no go.mod in the tree' }]
    },
  },
  {
    id: 'replace-outside',
    severity: 'breaks',
    title: 'A `replace` that leads out of the repository',
    why: 'A clone alone does not build: the folder is on the author’s machine, not in CI nor anywhere else.',
    remedy:
      'Require a released version, or put both into one repository; for work on both at once use a go.work that is not committed.',
    find: (tree) =>
      eachReplace(tree).flatMap(({ file, line, module, target, folder }) =>
        folder === undefined || isInRepository(tree, folder) ? [] : [{ file, line, message: `${module} => ${target}` }],
      ),
  },
  {
    id: 'replace-folder',
    severity: 'note',
    title: 'A `replace` with a folder of the repository',
    why: 'It holds here alone: `go install MODULE@VERSION` refuses a module with a replace, and who requires it gets what the `require` line names.',
    remedy: 'Put `use` lines into a go.work instead, and require versions that exist.',
    find: (tree) =>
      eachReplace(tree).flatMap(({ file, line, module, target, folder }) =>
        folder !== undefined && isInRepository(tree, folder) && !isAside(file.replace(/\/?go\.mod$/, ''))
          ? [{ file, line, message: `${module} => ${target}` }]
          : [],
      ),
  },
  {
    id: 'replace-cycle',
    severity: 'hurts',
    title: 'Modules that replace one another',
    why: 'Neither can be released first: each needs a version of the other that holds it.',
    remedy: 'Make one module of both, or move what both need into a third.',
    find: (tree) => {
      const edges = eachReplace(tree).flatMap((one) => {
        const from = tree.modules.find(({ folder }) => `${folder === '' ? '' : `${folder}/`}go.mod` === one.file)
        const to = tree.modules.find(({ folder }) => folder === one.folder)
        // Named in `replace` is not yet needed: the cycle is in what is required.
        const isRequired = from !== undefined && requirements(from).some(({ path }) => path === to?.path)
        return from === undefined || to === undefined || !isRequired
          ? []
          : [{ ...one, from: from.folder, to: to.folder }]
      })
      return edges.flatMap(({ file, line, from, to, module }) =>
        leads(to, from, edges) ? [{ file, line, message: `${module} in its turn replaces this module` }] : [],
      )
    },
  },
  {
    id: 'nested-module',
    severity: 'note',
    title: 'A module below another one',
    why: '`go build ./...`, `go test ./...` and `go vet ./...` of the outer module never see it: it can stop to compile unnoticed.',
    remedy: '`fairway check` looks into it all the same; for go’s own commands, name it in go.work.',
    find: (tree) => {
      const used = new Set(workUses(tree).map(({ folder }) => folder))
      return tree.modules.flatMap(({ folder, path }) => {
        const outer = tree.modules.find(
          (one) => one.folder !== folder && (one.folder === '' || folder.startsWith(`${one.folder}/`)),
        )
        if (outer === undefined || isAside(folder) || used.has(folder)) return []
        return [{ file: `${folder}/go.mod`, line: 1, message: `${path} lies in ${outer.path}, and in no go.work` }]
      })
    },
  },
  {
    id: 'work-outside',
    severity: 'breaks',
    title: 'A committed go.work that uses folders outside the repository',
    why: 'go reads it in every clone, and stops there: the folder does not exist.',
    remedy: 'Take those lines out, or go.work out of git: `git rm --cached go.work`, and a line in .gitignore.',
    find: (tree) =>
      tree.workspace?.isTracked !== true
        ? []
        : workUses(tree).flatMap(({ folder, text, line }) =>
            isInRepository(tree, folder) ? [] : [{ file: 'go.work', line, message: `use ${text}` }],
          ),
  },
  {
    id: 'vendor-stale',
    severity: 'breaks',
    title: 'A vendor folder that differs from go.mod',
    why: 'go builds from vendor/ by itself, and refuses when the two disagree ("inconsistent vendoring").',
    remedy: 'go mod vendor, and commit what it writes; or remove vendor/.',
    find: (tree) =>
      tree.modules.flatMap((module) => {
        const { vendored } = module
        if (vendored === undefined || tree.workspace !== undefined) return []
        const has = new Set(
          Array.from(vendored.matchAll(/^# (\S+) (v\S+)/gm), ([, path, version]) => `${path} ${version}`),
        )
        const replaced = new Set(parseReplaceLines(module.goMod).map((one) => one.module))
        return requirements(module).flatMap(({ path, version, line }) =>
          has.has(`${path} ${version}`) || replaced.has(path)
            ? []
            : [
                {
                  file: inFolder(module, 'go.mod'),
                  line,
                  message: `vendor/modules.txt does not have ${path} ${version}`,
                },
              ],
        )
      }),
  },
  {
    id: 'module-path-remote',
    severity: 'hurts',
    title: 'A module path that is not where git says the repository is',
    why: '`go get` and `go install` look where the path says: they find nothing, or another’s repository.',
    remedy:
      'go mod edit -module PATH, and the import paths with it; forks that are meant to replace the original keep its path on purpose.',
    find: ({ modules, repository }) => {
      const remote = repository?.remote
      if (remote === undefined) return []
      const host = remote.split('/')[0] ?? ''
      return modules.flatMap((module): Remark[] => {
        // A name of one's own (go.uber.org/zap) leads to the repository by another way.
        const isThere = module.path === remote || module.path.startsWith(`${remote}/`)
        if (isThere || isAside(module.folder) || !module.path.startsWith(`${host}/`)) return []
        return [
          {
            file: inFolder(module, 'go.mod'),
            line: lineOf(module, /^module\b/m),
            message: `${module.path}, the remote is ${remote}`,
          },
        ]
      })
    },
  },
  {
    id: 'major-suffix',
    severity: 'hurts',
    title: 'Tags of version 2 or later, and a module path without /v2',
    why: 'go takes such a tag for another module: nobody can require it, `@latest` stays at the last v1 or v0.',
    remedy: 'End the module path and its import paths in /vN.',
    find: ({ modules, repository }) =>
      modules.flatMap((module): Remark[] => {
        if (module.folder !== '' || repository?.up !== '' || /\/v[0-9]+$|^gopkg\.in\//.test(module.path)) return []
        const newest = repository.tags.find((tag) => /^v(?:[2-9]|[1-9][0-9]+)\.[0-9]+\.[0-9]+$/.test(tag))
        if (newest === undefined) return []
        return [
          { file: 'go.mod', line: lineOf(module, /^module\b/m), message: `${module.path}, and the tag ${newest}` },
        ]
      }),
  },
  {
    id: 'internal-import',
    severity: 'breaks',
    title: 'An import of another’s internal package',
    why: 'go refuses it: what lies under internal/ is for the tree above that folder alone.',
    remedy: 'Move the package out of internal/, or the importing one into the tree.',
    find: (tree) => {
      const modules = new Set(tree.modules.map(({ path }) => path))
      return packagesOf(tree).flatMap(({ path: importer, files }) =>
        files.flatMap((file) =>
          file.imports.flatMap(({ path, line }): Remark[] => {
            const at = /(?:^|\/)internal(?:\/|$)/.exec(path)
            // Of others' modules go says it; here are two of one repository, of which each is checked alone.
            if (at === null || ![...modules].some((own) => path.startsWith(`${own}/`))) return []
            const root = path.slice(0, at.index)
            return importer === root || importer.startsWith(`${root}/`)
              ? []
              : [{ file: file.path, line, message: `${path} is for ${root} alone` }]
          }),
        ),
      )
    },
  },
]

function inFolder({ folder }: TreeModule, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

function lineOf({ goMod }: TreeModule, pattern: RegExp): number {
  const at = pattern.exec(goMod)?.index ?? 0
  return goMod.slice(0, at).split('\n').length
}

interface FoundReplace {
  readonly file: string
  readonly line: number
  readonly module: string
  readonly target: string
  /** From the tree's folder, where the target is one: '../lib'; absolute where the line is. */
  readonly folder?: string
}

function eachReplace(tree: Tree): FoundReplace[] {
  return tree.modules.flatMap((module) =>
    parseReplaceLines(module.goMod).map(({ module: replaced, target, line }) => ({
      file: inFolder(module, 'go.mod'),
      line,
      module: replaced,
      target,
      ...(/^\.{0,2}\/|^\.{1,2}$/.test(target) ? { folder: join(module.folder, target) } : {}),
    })),
  )
}

function workUses({ workspace }: Tree): { folder: string; text: string; line: number }[] {
  if (workspace === undefined) return []
  const found: { folder: string; text: string; line: number }[] = []
  let isInBlock = false
  for (const [index, raw] of workspace.text.split(/\r?\n/).entries()) {
    const line = raw.replace(/(?:^|\s)\/\/.*$/, '').trim()
    if (isInBlock && line === ')') isInBlock = false
    else if (/^use\s*\($/.test(line)) isInBlock = true
    else {
      const text = (isInBlock ? line : (/^use\s+(.*)$/.exec(line)?.[1] ?? '')).replaceAll(/^["`]|["`]$/g, '')
      if (text !== '') found.push({ folder: join('', text), text, line: index + 1 })
    }
  }
  return found
}

function requirements({ goMod }: TreeModule): { path: string; version: string; line: number }[] {
  const found: { path: string; version: string; line: number }[] = []
  let block = ''
  for (const [index, raw] of goMod.split(/\r?\n/).entries()) {
    const line = raw.replace(/(?:^|\s)\/\/.*$/, '').trim()
    if (block !== '' && line === ')') block = ''
    else if (/^[a-z]+\s*\($/.test(line)) block = line.replace(/\s*\($/, '')
    else {
      const [, path, version] =
        (block === 'require' ? /^(\S+)\s+(v\S+)/ : block === '' ? /^require\s+(\S+)\s+(v\S+)/ : /$^/).exec(line) ?? []
      if (path !== undefined && version !== undefined)
        found.push({ path: path.replaceAll('"', ''), version, line: index + 1 })
    }
  }
  return found
}

/** As path.posix.join, of folders below or above the tree's. */
function join(base: string, path: string): string {
  if (path.startsWith('/')) return path
  const parts = base === '' ? [] : base.split('/')
  for (const part of path.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}

function isInRepository({ repository }: Tree, folder: string): boolean {
  if (folder.startsWith('/')) return false
  const above = folder.split('/').filter((part) => part === '..').length
  const allowed = (repository?.up ?? '').split('/').filter((part) => part === '..').length
  return above <= allowed
}

function leads(from: string, to: string, edges: readonly { from: string; to: string }[]): boolean {
  const queue = [from]
  const seen = new Set(queue)
  for (const node of queue) {
    if (node === to) return true
    for (const edge of edges) {
      if (edge.from !== node || seen.has(edge.to)) continue
      seen.add(edge.to)
      queue.push(edge.to)
    }
  }
  return false
}
