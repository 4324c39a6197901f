import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Digest, type Elf, hashFile, readElf } from '../artifact/index.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import type { LayerEntry } from './layer.ts'

/** A shared library, or the dynamic linker, as it goes along with a binary. */
export interface Library {
  /** 'libc.so.6' */
  readonly name: string
  /** Where the dynamic linker will look, without the leading `/`. */
  readonly path: string
  readonly source: string
  readonly digest: Digest
  readonly size: number
}

/** GNU's name of an architecture: Debian's folders are called like it, for its own libraries and for those of others. */
const triplets: Readonly<Record<string, string>> = {
  386: 'i386-linux-gnu',
  amd64: 'x86_64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  arm64: 'aarch64-linux-gnu',
  ppc64le: 'powerpc64le-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  s390x: 's390x-linux-gnu',
}

/** What glibc loads by name at run time, without its being named by the program: host and user names are looked up by them. */
const loadedLater = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2']

/**
 * The dynamic linker a binary asks for and every library it comes to need, found on this machine: its own, or those of
 * another architecture where a cross compiler brought them (`/usr/aarch64-linux-gnu/lib`).
 * @param roots where `/lib` and `/usr` are: `/`
 * @returns nothing for a static binary
 * @throws FairwayError IMAGE_IMPOSSIBLE naming what is not here
 */
export async function findLibraries(elf: Elf, { root = '/' }: { root?: string } = {}): Promise<readonly Library[]> {
  const { interpreter, arch } = elf
  if (interpreter === undefined) {
    if (elf.libraries.length === 0) return []
    throw impossible(`It needs ${elf.libraries.join(', ')}, and names no dynamic linker that would load them`)
  }
  const folders = searchFolders(arch, root)
  const linker = await find(basename(interpreter), arch, [join(root, dirname(interpreter)), ...folders])
  if (linker === undefined) throw absent(interpreter, arch, interpreter)
  const isMusl = basename(interpreter).startsWith('ld-musl-')
  const found = new Map<string, Library>()
  found.set(basename(interpreter), { ...linker, path: interpreter.replace(/^\/+/, '') })
  const open: { name: string; by: string }[] = elf.libraries.map((name) => ({ name, by: 'the binary' }))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { name, by } = next
    if (found.has(name)) continue
    // musl is its own linker.
    if (isMusl && /^libc\.(?:so|musl-)/.test(name)) continue
    if (name.includes('/')) throw impossible(`${by} needs ${name}, a library at a path of its own`)
    const library = await find(name, arch, folders)
    if (library === undefined) throw absent(name, arch, by)
    found.set(name, library)
    for (const needed of library.needed) open.push({ name: needed, by: name })
    if (name === 'libc.so.6') {
      for (const later of loadedLater) {
        const beside = await find(later, arch, folders)
        if (beside !== undefined) found.set(later, beside)
      }
    }
  }
  const home = libraryFolder(found.get('libc.so.6')?.source ?? linker.source, arch, root)
  return [...found.values()]
    .map(({ name, path, source, digest, size }) => ({
      name,
      source,
      digest,
      size,
      path: path === '' ? `${home}/${name}` : path,
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** The layer of them; the folders above each are made. */
export function libraryEntries(libraries: readonly Library[]): LayerEntry[] {
  const parents = libraries.flatMap(({ path }) => {
    const parts = path.split('/').slice(0, -1)
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
  })
  const folders = [...new Set(parents)].map((path): LayerEntry => ({ path, kind: 'folder', mode: 0o755, size: 0 }))
  const files = libraries.map(({ path, source, digest, size }): LayerEntry => {
    return { path, kind: 'file', mode: 0o755, size, source, digest }
  })
  return [...folders, ...files].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

function searchFolders(arch: string, root: string): string[] {
  const triplet = triplets[arch]
  const own = triplet === undefined ? [] : [`lib/${triplet}`, `usr/lib/${triplet}`]
  const cross = triplet === undefined ? [] : [`usr/${triplet}/lib`, `usr/${triplet}/lib64`]
  const others = ['lib64', 'usr/lib64', 'lib', 'usr/lib', 'usr/local/lib64', 'usr/local/lib']
  return [...own, ...others, ...cross].map((folder) => join(root, folder))
}

/** Where the linker of that C library looks by itself. */
function libraryFolder(libc: string, arch: string, root: string): string {
  const triplet = triplets[arch]
  if (triplet !== undefined && libc.includes(`/${triplet}/`)) return `lib/${triplet}`
  return libc.startsWith(join(root, 'usr/lib64')) || libc.startsWith(join(root, 'lib64')) ? 'lib64' : 'lib'
}

async function find(
  name: string,
  arch: string,
  folders: readonly string[],
): Promise<(Library & { readonly needed: readonly string[] }) | undefined> {
  for (const folder of folders) {
    try {
      const source = await realpath(join(folder, name))
      const elf = await readElf(source)
      if (elf?.arch !== arch) continue // of another architecture, or a linker script
      const digest = await hashFile(source)
      if (digest === undefined) continue
      return { name, path: '', source, digest, size: (await stat(source)).size, needed: elf.libraries }
    } catch (error) {
      const errno = errnoOf(error)
      if (errno !== 'ENOENT' && errno !== 'ENOTDIR' && errno !== 'EISDIR' && errno !== 'EACCES') throw error
    }
  }
  return undefined
}

function absent(name: string, arch: string, by: string): FairwayError {
  return impossible(`${name}, which ${by === name ? 'it' : by} needs, is not on this machine for ${arch}`)
}

function impossible(message: string): FairwayError {
  return new FairwayError('IMAGE_IMPOSSIBLE', `No image can be made of this binary. ${message}`, {
    hint: 'Link it statically (fairway.yaml: `go: { cgo: static }`, or `cgo: false` where it can do without C), or install the library for that architecture.',
  })
}
