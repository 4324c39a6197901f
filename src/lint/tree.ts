import type { GoText } from './go-text.ts'

/** A source tree as it was read: rules decide on this alone, and touch nothing. */
export interface Tree {
  /** Every file that git knows, or would take; without git all of them. From the folder, with '/'. */
  readonly files: readonly TreeFile[]
  /** Go files outside vendor/ and node_modules/. */
  readonly goFiles: readonly GoFile[]
  /** The outer ones first. */
  readonly modules: readonly TreeModule[]
  readonly workspace?: Workspace
  /** What git says of the repository, where there is one. */
  readonly repository?: Repository
  /** Service names of fairway.yaml; undefined: there is none, or it names none. */
  readonly services?: readonly string[]
}

export interface TreeFile {
  readonly path: string
  readonly bytes: number
  /** git has it; without git nobody can say so. */
  readonly isTracked: boolean
  /** What the first bytes say: an ELF, Mach-O or PE executable. Looked at only where name and size suggest it. */
  readonly isExecutable?: boolean
  /** Of small files whose names suggest secrets. */
  readonly text?: string
}

export interface GoFile extends GoText {
  readonly path: string
  /** '' is the root. */
  readonly folder: string
  readonly text: string
  readonly isTest: boolean
  /** In a folder that go passes by: testdata, or one that begins with '_' or '.'. */
  readonly isIgnored: boolean
}

export interface TreeModule {
  /** '' is the root. */
  readonly folder: string
  /** 'example.com/shop' */
  readonly path: string
  readonly goMod: string
  /** The text of vendor/modules.txt, where there is one. */
  readonly vendored?: string
}

export interface Workspace {
  /** 'go.work' */
  readonly path: string
  readonly text: string
  readonly isTracked: boolean
}

export interface Repository {
  /** From the tree's folder up to the repository's: '' or '../..'. */
  readonly up: string
  /** 'github.com/acme/shop' */
  readonly remote?: string
  /** The newest version tags: 'v2.3.1'. */
  readonly tags: readonly string[]
}

/** One package's files, tests left out. */
export interface TreePackage {
  /** Its import path. */
  readonly path: string
  readonly folder: string
  readonly name: string
  readonly module: TreeModule
  readonly files: readonly GoFile[]
}

/** What go builds: without tests, ignored folders, and files that opt out by `//go:build ignore`. */
export function packagesOf(tree: Tree): TreePackage[] {
  const folders = new Map<string, GoFile[]>()
  for (const file of tree.goFiles) {
    if (file.isTest || file.isIgnored || file.package === '' || isLeftOut(file)) continue
    folders.set(file.folder, [...(folders.get(file.folder) ?? []), file])
  }
  return [...folders].flatMap(([folder, files]): TreePackage[] => {
    const module = moduleOf(tree, folder)
    if (module === undefined) return []
    const inside = folder.slice(module.folder.length).replace(/^\//, '')
    const [first] = files
    return [
      {
        path: inside === '' ? module.path : `${module.path}/${inside}`,
        folder,
        name: first?.package ?? '',
        module,
        files,
      },
    ]
  })
}

/** `ignore` is what generators beside a library say; other words are mostly tags of someone's build. */
export function isLeftOut({ constraint = '' }: GoFile): boolean {
  return (
    /^(\w+) && !\1$/.test(constraint.trim()) || // never, on purpose
    /^(?:ignore|tools|generate|mage|none|never|exclude|ignore_.*)$/.test(constraint.trim()) ||
    /\bignore\b/.test(constraint)
  )
}

/** The innermost. */
function moduleOf(tree: Tree, folder: string): TreeModule | undefined {
  return tree.modules
    .filter((module) => module.folder === '' || folder === module.folder || folder.startsWith(`${module.folder}/`))
    .toSorted((a, b) => b.folder.length - a.folder.length)[0]
}

/** What lies in these shows, tests or makes something: rarely what runs. */
const sideFolders = new Set(['bench', 'benchmark', 'benchmarks', 'contrib', 'demo', 'demos', 'dev', 'devel', 'development', 'docs', 'doc', 'e2e', 'example', 'examples', 'fixtures', 'fuzz', 'fuzzing', 'interop', 'ossfuzz', 'gen', 'generate', 'generator', 'hack', 'integration', 'loadtest', 'misc', 'mock', 'mocks', 'plugin', 'plugins', 'sample', 'samples', 'script', 'scripts', 'test', 'testdata', 'testing', 'tests', 'testutil', 'third_party', 'tool', 'tools', 'tutorial', 'website']) // prettier-ignore

export function isAside(folder: string): boolean {
  return folder.split('/').some((part) => sideFolders.has(part.replace(/^[_.]/, '')) || /^(?:test|mock|fake|example)|(?:test|tests|mock|mocks|testing)$/.test(part)) // prettier-ignore
}

/** A module of examples, or of tools, whatever its folders are called: 'google.golang.org/grpc/examples'. */
export function isSideModule({ path }: TreeModule): boolean {
  const [, , ...parts] = path.replace(/\/v[0-9]+$/, '').split('/')
  return sideFolders.has(parts.at(-1) ?? '')
}

/** A main package and every package of its own modules that it imports, itself first. */
export function closureOf(main: TreePackage, packages: readonly TreePackage[]): TreePackage[] {
  const byPath = new Map(packages.map((one) => [one.path, one]))
  const found = [main]
  const seen = new Set(found)
  for (const one of found) {
    for (const { imports } of one.files) {
      for (const { path } of imports) {
        const imported = byPath.get(path)
        if (imported === undefined || seen.has(imported)) continue
        seen.add(imported)
        found.push(imported)
      }
    }
  }
  return found
}
