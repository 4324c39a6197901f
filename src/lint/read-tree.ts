import { open, readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { exec } from '../base/exec.ts'
import { readText } from '../base/read-file.ts'
import { parseGoMod, type ProcessEnvironment } from '../go/index.ts'
import { readGoText } from './go-text.ts'
import type { GoFile, Repository, Tree, TreeFile, TreeModule, Workspace } from './tree.ts'

/** A larger one was made by a program. */
const maxGoBytes = 2 * 1024 * 1024
const maxSecretBytes = 256 * 1024
/** Smaller executables are scripts of a few bytes of machine code, in tests of loaders. */
const minExecutableBytes = 64 * 1024
const maxFiles = 200_000

export interface ReadTreeOptions extends Abortable {
  /** Where git is found. */
  readonly environment: ProcessEnvironment
  readonly services?: readonly string[]
}

/** Reads a tree once; neither go nor anything of the tree is run. @throws FairwayError SOURCE_NOT_GO, USAGE when it is too large */
export async function readTree(folder: string, { environment, services, signal }: ReadTreeOptions): Promise<Tree> {
  const git = gitIn(folder, environment, signal)
  const listed = await listFiles(folder, git)
  const files: TreeFile[] = []
  const goFiles: GoFile[] = []
  const modules: TreeModule[] = []
  let workspace: Workspace | undefined
  for (const { path, isTracked } of listed) {
    signal?.throwIfAborted()
    const entry = await stat(join(folder, path)).catch(() => undefined) // tracked, and removed; or a link to nowhere
    if (entry?.isFile() !== true) continue
    const file = { path, bytes: entry.size, isTracked }
    files.push({ ...file, ...(await lookInto(folder, path, entry.size)) })
    const parts = path.split('/')
    const name = parts.pop() ?? ''
    const place = parts.join('/')
    if (parts.includes('vendor') || parts.includes('node_modules')) continue
    if (name === 'go.mod') {
      const module = await readModule(folder, place)
      if (module !== undefined) modules.push(module)
    } else if (path === 'go.work') workspace = { path, text: await readText(join(folder, path)), isTracked }
    else if (name.endsWith('.go') && entry.size <= maxGoBytes) {
      const text = await readText(join(folder, path))
      const isIgnored = parts.some((part) => part === 'testdata' || /^[._]./.test(part)) || /^[._]/.test(name)
      goFiles.push({ ...readGoText(text), path, folder: place, text, isTest: name.endsWith('_test.go'), isIgnored })
    }
  }
  if (goFiles.length === 0) {
    throw new FairwayError('SOURCE_NOT_GO', `${folder} holds no Go file`, {
      hint: 'Go to the folder of a Go project, or name it: --project DIR',
    })
  }
  const repository = await readRepository(git)
  return {
    files,
    goFiles,
    modules: modules.toSorted((a, b) => a.folder.length - b.folder.length || a.folder.localeCompare(b.folder)),
    ...(workspace === undefined ? {} : { workspace }),
    ...(repository === undefined ? {} : { repository }),
    ...(services === undefined || services.length === 0 ? {} : { services }),
  }
}

type Git = (...words: readonly string[]) => Promise<string | undefined>

/** What git prints; undefined where there is none, or no repository. */
function gitIn(folder: string, { PATH = '', HOME = '' }: ProcessEnvironment, signal: AbortSignal | undefined): Git {
  return async (...words) => {
    try {
      const trust = ['-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false']
      const env = { PATH, HOME, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' }
      const result = await exec(['git', ...trust, ...words], {
        cwd: folder,
        env,
        deadlineMs: 30_000,
        maxOutputBytes: 64 * 1024 * 1024,
        signal,
      })
      return result.exitCode === 0 ? result.stdout : undefined
    } catch (error) {
      if (error instanceof FairwayError && error.code === 'COMMAND_FAILED') return undefined
      throw error
    }
  }
}

async function listFiles(folder: string, git: Git): Promise<{ path: string; isTracked: boolean }[]> {
  const tracked = await git('ls-files', '-z', '--cached')
  const other = tracked === undefined ? undefined : await git('ls-files', '-z', '--others', '--exclude-standard')
  const names = (text: string) => text.split('\0').filter((name) => name !== '')
  // An empty list is a repository that knows nothing of this folder yet: a folder it ignores, or one unpacked in it.
  const known = [...names(tracked ?? ''), ...names(other ?? '')]
  const found =
    tracked !== undefined && known.length > 0
      ? [
          ...names(tracked).map((path) => ({ path, isTracked: true })),
          ...names(other ?? '').map((path) => ({ path, isTracked: false })),
        ]
      : (await walk(folder)).map((path) => ({ path, isTracked: false }))
  if (found.length <= maxFiles) return found.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  throw new FairwayError('USAGE', `${folder} holds more than ${maxFiles} files`, {
    hint: 'Name a folder within it: --project DIR',
  })
}

async function walk(root: string): Promise<string[]> {
  const found: string[] = []
  const open = [root]
  for (let folder = open.pop(); folder !== undefined && found.length <= maxFiles; folder = open.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isFile()) found.push(relative(root, path))
      else if (entry.isDirectory() && entry.name !== '.git' && entry.name !== 'node_modules') open.push(path)
    }
  }
  return found
}

/** Of the few files whose names say that it is worth it. */
async function lookInto(
  folder: string,
  path: string,
  bytes: number,
): Promise<{ text?: string; isExecutable?: boolean }> {
  const name = path.split('/').at(-1) ?? ''
  try {
    if (/^\.env(?:\.|$)|\.(?:pem|key)$|^id_(?:rsa|ecdsa|ed25519|dsa)$/.test(name) && bytes <= maxSecretBytes) {
      return { text: await readText(join(folder, path)) }
    }
    if (bytes >= minExecutableBytes && /^[^.]+$|\.(?:exe|bin|out|test|elf)$/.test(name)) {
      await using file = await open(join(folder, path), 'r')
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
      return { isExecutable: isExecutable(buffer) }
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error // a file that cannot be read has nothing to say
  }
  return {}
}

function isExecutable(head: Buffer): boolean {
  const magic = head.readUInt32BE(0)
  const machO = [0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe]
  return magic === 0x7f454c46 || machO.includes(magic) || head.readUInt16BE(0) === 0x4d5a // ELF, Mach-O, 'MZ'
}

async function readModule(folder: string, place: string): Promise<TreeModule | undefined> {
  const goMod = await readText(join(folder, place, 'go.mod'))
  const { module } = parseGoMod(goMod)
  // One in testdata is some test's business, and an empty one only keeps a folder out of its module.
  if (module === undefined || place.split('/').includes('testdata')) return undefined
  const vendored = await readText(join(folder, place, 'vendor', 'modules.txt')).catch(() => undefined)
  return { folder: place, path: module, goMod, ...(vendored === undefined ? {} : { vendored }) }
}

async function readRepository(git: Git): Promise<Repository | undefined> {
  const top = (await git('rev-parse', '--show-cdup'))?.trim()
  if (top === undefined) return undefined
  const origin = await git('config', '--get', 'remote.origin.url')
  const [, host, path] =
    /^(?:[a-z+]+:\/\/)?(?:[^@/\s]+@)?([a-z0-9.-]+\.[a-z]+)(?::[0-9]+)?[:/]\/?(.+?)(?:\.git)?\/?\s*$/i.exec(
      origin ?? '',
    ) ?? []
  const tags = (await git('tag', '--list', '--sort=-version:refname', 'v[0-9]*')) ?? ''
  return {
    up: top.replace(/\/$/, ''),
    ...(host === undefined || path === undefined ? {} : { remote: `${host.toLowerCase()}/${path}` }),
    tags: tags.split('\n').filter((tag) => tag !== ''),
  }
}
