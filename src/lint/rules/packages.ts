import { counted } from '../../base/counted.ts'
import { isEverBuilt } from '../constraint.ts'
import { lineAt } from '../go-text.ts'
import type { Remark, Rule } from '../rule.ts'
import { closureOf, isAside, isLeftOut, isSideModule, packagesOf, type TreePackage } from '../tree.ts'
import { listening } from './serving.ts'

/** So many files of one package next to others are hard to tell from those of the others. */
const crowd = 24

/** How packages and files lie. */
export const packageRules: readonly Rule[] = [
  {
    id: 'mains-indistinct',
    severity: 'note',
    title: 'Several programs of which none is the obvious one',
    why: 'No tool can say which of them is the service: it builds the wrong one, or asks.',
    remedy: 'Name them in fairway.yaml: services: { web: { build: ./cmd/web } }.',
    find: (tree) => {
      const packages = packagesOf(tree)
      const all = packages.filter((one) => isProgram(one))
      const mains = all.filter((one, index) => !all.slice(0, index).some((other) => isSameProgram(one, other)))
      if (tree.services !== undefined || mains.length < 2) return []
      const serving = mains.filter((main) =>
        closureOf(main, packages).some(({ files }) => files.some(({ code }) => listening.test(code))),
      )
      const natural = (some: readonly TreePackage[]) =>
        some.filter((one) => one.folder === one.module.folder || baseName(one) === moduleName(one))
      if (serving.length === 1 || natural(serving).length === 1) return []
      if (serving.length === 0 && natural(mains).length === 1) return []
      const meant = serving.length > 1 ? serving : mains
      return meant
        .slice(0, 1)
        .map((one) => ({ ...place(one), message: meant.map(({ folder }) => `./${folder}`).join(', ') }))
    },
  },
  {
    id: 'same-binary-name',
    severity: 'hurts',
    title: 'Two programs of one module with the same name',
    why: '`go install ./...` and `go build -o bin/ ./...` write one over the other, without a word.',
    remedy: 'Give the folder of one another name: the binary is named like it.',
    find: (tree) => {
      const byName = new Map<string, TreePackage[]>()
      for (const one of packagesOf(tree).filter((each) => isProgram(each))) {
        const key = `${one.module.path} ${baseName(one)}`
        byName.set(key, [...(byName.get(key) ?? []), one])
      }
      return [...byName.values()].flatMap(([first, ...others]) =>
        others.flatMap((one) =>
          first === undefined || isSameProgram(first, one)
            ? []
            : [{ ...place(one), message: `${baseName(one)} is also what ./${first.folder} becomes` }],
        ),
      )
    },
  },
  {
    id: 'root-crowded',
    severity: 'note',
    title: 'A program of dozens of files in the root, next to cmd/',
    why: 'What is in it can be imported by nothing else, not even by the programs beside it, and is tested only as a whole.',
    remedy: 'Leave main.go, and move the rest into packages below internal/.',
    find: (tree) =>
      packagesOf(tree).flatMap((one) => {
        const hasCmd = tree.files.some(({ path }) => path.startsWith(one.folder === '' ? 'cmd/' : `${one.folder}/cmd/`))
        if (one.name !== 'main' || one.folder !== one.module.folder || !hasCmd || one.files.length < crowd) return []
        return [{ ...place(one), message: `package main has ${counted(one.files.length, 'file')} here` }]
      }),
  },
  {
    id: 'pkg-unimported',
    severity: 'note',
    title: 'A folder pkg/ that nothing here imports',
    why: 'The programs do not need it, so nothing tests it in use; and as public packages it is a promise to whoever finds it.',
    remedy: 'Remove it; or, where it is a library of its own, make that the repository’s purpose and say so.',
    find: (tree) => {
      const packages = packagesOf(tree)
      return tree.modules.flatMap((module): Remark[] => {
        const inside = `${module.folder === '' ? '' : `${module.folder}/`}pkg/`
        const own = packages.filter((one) => one.module === module)
        const libraries = own.filter(({ folder, name }) => `${folder}/`.startsWith(inside) && name !== 'main')
        const others = tree.goFiles.filter(({ folder }) => !`${folder}/`.startsWith(inside))
        const [first] = libraries
        // A module without programs is there to be imported by others.
        if (first === undefined || !own.some((one) => isProgram(one))) return []
        const paths = new Set(libraries.map(({ path }) => path))
        if (others.some(({ imports }) => imports.some(({ path }) => paths.has(path)))) return []
        return [
          {
            file: first.files[0]?.path ?? inside,
            line: 0,
            message: `${counted(libraries.length, 'package')} below ${inside}`,
          },
        ]
      })
    },
  },
  {
    id: 'never-built',
    severity: 'hurts',
    title: 'A file that no build takes',
    why: 'Its name and its build tags exclude each other: on every system it is as if it were not there.',
    remedy: 'Mend the `//go:build` line or the ending of the name; or remove the file.',
    find: ({ goFiles }) =>
      goFiles.flatMap((file): Remark[] => {
        if (file.isIgnored || isLeftOut(file) || isEverBuilt(file.path.split('/').at(-1) ?? '', file.constraint))
          return []
        const at = file.text.indexOf('//go:build')
        return [
          { file: file.path, line: at < 0 ? 1 : lineAt(file.text, at), message: file.constraint ?? 'by its name' },
        ]
      }),
  },
  {
    id: 'ignored-folder',
    severity: 'note',
    title: 'Go code in a folder that go passes by',
    why: 'What begins with `_` or `.` is in no build, no test, no vet: it stops to compile and nobody sees it.',
    remedy: 'Give the folder another name, or a module of its own.',
    find: ({ goFiles }) => {
      const folders = new Map<string, string>()
      for (const { path, folder } of goFiles) {
        const parts = folder.split('/')
        const at = parts.findIndex((part) => /^[._]./.test(part))
        if (at < 0 || parts.includes('testdata') || isAside(parts.slice(0, at + 1).join('/'))) continue
        const key = parts.slice(0, at + 1).join('/')
        if (!folders.has(key)) folders.set(key, path)
      }
      return [...folders].map(([folder, file]) => ({ file, line: 0, message: `${folder}/` }))
    },
  },
  {
    id: 'testdata-main',
    severity: 'note',
    title: 'A program in testdata/ that imports more than the standard library',
    why: 'go passes testdata by: `go mod tidy` drops what only it needs, and then it no longer builds.',
    remedy: 'Give it a go.mod of its own, or move it out of testdata.',
    find: (tree) => {
      const required = (path: string) =>
        tree.modules.some(({ path: own, goMod }) => path.startsWith(own) || hasRequirement(goMod, path))
      return tree.goFiles.flatMap((file): Remark[] => {
        if (file.package !== 'main' || file.isTest || !file.folder.split('/').includes('testdata')) return []
        const inner = tree.modules.some(
          ({ folder }) => folder.split('/').includes('testdata') && `${file.folder}/`.startsWith(`${folder}/`),
        )
        const missing = file.imports.find(({ path }) => /^[^/]+\.[^/]+\//.test(path) && !required(path))
        if (inner || missing === undefined || !/\bfunc\s+main\s*\(/.test(file.code)) return []
        return [{ file: file.path, line: missing.line, message: `${missing.path} is in no go.mod` }]
      })
    },
  },
]

function isProgram({ name, folder, module }: TreePackage): boolean {
  return name === 'main' && !isAside(folder) && !isSideModule(module) && !folder.split('/').includes('internal')
}

/** A thin main in the root and one in cmd/, both calling the same package. */
function isSameProgram(a: TreePackage, b: TreePackage): boolean {
  const own = ({ files, module }: TreePackage) =>
    files
      .flatMap(({ imports }) => imports.flatMap(({ path }) => (path.startsWith(`${module.path}/`) ? [path] : [])))
      .toSorted()
      .join()
  return baseName(a) === baseName(b) && own(a) !== '' && own(a) === own(b)
}

function moduleName({ module }: TreePackage): string {
  return (
    module.path
      .replace(/\/v[0-9]+$/, '')
      .split('/')
      .at(-1) ?? ''
  )
}

function baseName(one: TreePackage): string {
  const inside = one.folder.slice(one.module.folder.length).replace(/^\//, '')
  return inside === '' ? moduleName(one) : (inside.split('/').at(-1) ?? '')
}

function place({ files, folder }: TreePackage): { file: string; line: number } {
  const main = files.find(({ code }) => /^func\s+main\s*\(/m.test(code)) ?? files[0]
  const at = main === undefined ? -1 : main.code.search(/^func\s+main\s*\(/m)
  return { file: main?.path ?? folder, line: main === undefined || at < 0 ? 0 : lineAt(main.code, at) }
}

function hasRequirement(goMod: string, path: string): boolean {
  return Array.from(goMod.matchAll(/^\s*(?:require\s+)?(\S+\/\S+)\s+v[0-9]/gm)).some(
    ([, module = '']) => path === module || path.startsWith(`${module}/`),
  )
}
