import { hash } from 'node:crypto'
import { chmod, copyFile, lstat, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../base/error.ts'
import { hashFiles } from '../module/index.ts'

/** The version of the module that a toolchain is. @see https://go.dev/doc/toolchain#download */
export function toolchainModule(version: string, goos: string, goarch: string): { path: string; version: string } {
  return { path: 'golang.org/toolchain', version: `v0.0.1-go${version}.${goos}-${goarch}` }
}

/** The other way: which Go, for which machine; undefined for what is none. */
export function parseToolchainVersion(text: string): { version: string; goos: string; goarch: string } | undefined {
  const [, version = '', goos = '', goarch] = /^v0\.0\.1-go(.+)\.([a-z0-9]+)-([a-z0-9]+)$/.exec(text) ?? []
  return goarch === undefined ? undefined : { version, goos, goarch }
}

/**
 * Makes an unpacked toolchain work. A zip carries no modes and, as a module may not hold others, no go.mod. The go command
 * last: where it can be run, everything it runs can be. Then nothing of it is to be written any more.
 */
export async function finishTree(folder: string, paths: readonly string[]): Promise<void> {
  for (const path of paths
    .filter((each) => /(?:^|\/)_go\.mod$/.test(each))
    .toSorted((a, b) => Number(a === 'src/_go.mod') - Number(b === 'src/_go.mod')))
    await copyFile(join(folder, path), join(folder, path.replace(/_go\.mod$/, 'go.mod')))
  const executable = (pattern: RegExp) => paths.filter((path) => pattern.test(path))
  const order = [
    executable(/^pkg\/tool\//),
    executable(/^(?:lib|misc)\/wasm\/[^.]+$/),
    executable(/^bin\/(?!go$)/),
    executable(/^bin\/go$/),
  ]
  for (const some of order) for (const path of some) await chmod(join(folder, path), 0o555)
  const folders = new Set(paths.flatMap((path) => parentsOf(path)))
  for (const each of folders) await chmod(join(folder, each), 0o555)
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

/** Not in the module, though they may lie in a GOROOT that was installed otherwise. */
const outside = /^(?:api|doc|misc|test)$/

/**
 * The files of a GOROOT, however it came here, by the names they have in the module; contents as sha256. What an installation
 * leaves out or adds by itself is left out.
 */
export async function readTree(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  const walk = async (below: string): Promise<void> => {
    const entries = await readdir(join(folder, below), { withFileTypes: true })
    const names = new Set(entries.map(({ name }) => name))
    for (const entry of entries) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (below === '' && outside.test(entry.name)) continue
      if (entry.isDirectory()) {
        if (path !== 'pkg/obj' && !/^pkg\/[a-z0-9]+_[a-z0-9]+$/.test(path)) await walk(path)
        continue
      }
      // A go.mod stands for the `_go.mod` of the module, whether that one lies beside it or not.
      if (entry.name === '_go.mod' && names.has('go.mod')) continue
      const name = entry.name === 'go.mod' ? path.replace(/go\.mod$/, '_go.mod') : path
      files.set(name, hash('sha256', await readFile(join(folder, path)), 'hex'))
    }
  }
  await walk('')
  return files
}

/** The hash the log knows for a toolchain with these files: names and contents alone count. */
export function hashTree(files: ReadonlyMap<string, string>, module: { path: string; version: string }): string {
  const prefix = `${module.path}@${module.version}/`
  return hashFiles([...files].map(([name, sha256]) => ({ name: `${prefix}${name}`, sha256 })))
}

/** 'go.env: changed', by name, as they lie in the GOROOT. */
export function compareTrees(found: ReadonlyMap<string, string>, recorded: ReadonlyMap<string, string>): string[] {
  return [...new Set([...found.keys(), ...recorded.keys()])].toSorted().flatMap((name) => {
    const [here, there] = [found.get(name), recorded.get(name)]
    if (here === there) return []
    const shown = name.replace(/(^|\/)_go\.mod$/, '$1go.mod')
    return [`${shown}: ${here === undefined ? 'missing' : there === undefined ? 'added' : 'changed'}`]
  })
}

/** Takes a read-only tree away; gone from its place at once, whatever happens then. */
export async function removeTree(folder: string, aside: string): Promise<void> {
  try {
    await chmod(folder, 0o755)
    await rename(folder, aside)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  await removeReadOnly(aside)
}

export async function removeReadOnly(folder: string): Promise<void> {
  const makeWritable = async (path: string): Promise<void> => {
    await chmod(path, 0o755)
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.isDirectory()) await makeWritable(join(path, entry.name))
  }
  const isFolder = await lstat(folder).then((entry) => entry.isDirectory(), () => false) // prettier-ignore
  if (isFolder && process.getuid?.() !== 0) await makeWritable(folder)
  await rm(folder, { recursive: true, force: true })
}
