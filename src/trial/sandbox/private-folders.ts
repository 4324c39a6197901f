import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'

const everybodys = ['/tmp', '/var/tmp', '/dev/shm']
/** Sockets of the machine's services lie there. */
const machines = '/run'
/** Given to a container's programs as files. */
const given = '/run/secrets'
/** What the mounts are called. */
const source = 'fairway-trial'
/** What is kept in one is memory of the machine. */
const options = 'size=64m,nr_inodes=64k,nosuid,nodev'
const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }

export interface PrivateFolderOptions {
  /** The trial's own: stays where it is, wherever that is. */
  readonly own: string
  /** A folder that the trial's user may not enter, with `own` below: covered too, so that he can. */
  readonly blocked?: string
}

/**
 * Empty folders in the place of those that all programs of the machine share, in this process's namespace of mounts: all of
 * them or none. What is written there is gone with the namespace.
 */
export class PrivateFolders {
  readonly #covered: readonly string[]
  readonly #shown: readonly string[]

  private constructor(covered: readonly string[], shown: readonly string[]) {
    this.#covered = covered
    this.#shown = shown
  }

  /** @returns undefined where the machine does not allow it: the folders are the machine's then */
  static async make({ own, blocked }: PrivateFolderOptions): Promise<PrivateFolders | undefined> {
    const shared = [...new Set([...everybodys, machines].filter(existsSync).map((path) => realpathSync(path)))]
    const covered = [...shared, ...(blocked === undefined || isBelowAny(blocked, shared) ? [] : [blocked])]
    const shown = [own, given].filter((path) => existsSync(path) && isBelowAny(path, covered))
    const compiled = process.env['NODE_COMPILE_CACHE'] ?? ''
    if (isBelowAny(compiled, covered)) flushCompileCache() // later it is out of sight
    const held = shown.map((path) => ({ path, file: openSync(path, 'r'), was: statSync(path) }))
    const former = covered.map((path) => statSync(path).dev)
    const table = join(own, '.mounts')
    writeFileSync(
      table,
      [
        ...covered.map((path) => `${source} ${word(path)} tmpfs ${options},mode=${modeOf(path)} 0 0\n`),
        // By its descriptor: its path is covered by then.
        ...held.map(({ path, file }) => `/proc/${process.pid}/fd/${file} ${word(path)} none rbind,X-mount.mkdir 0 0\n`),
      ].join(''),
    )
    const mounting = spawn('mount', ['--all', '--no-canonicalize', '--fstab', table], { env, stdio: 'ignore' })
    const isDone = await endsWell(mounting)
    const isShown = held.every(({ path, was }) => {
      const is = statSync(path, { throwIfNoEntry: false })
      return is?.ino === was.ino && is.dev === was.dev
    })
    for (const { file } of held) closeSync(file)
    // Nothing is ever emptied that was there before.
    const isCovered = covered.every((path, index) => statSync(path).dev !== former[index])
    const isApart = isDone && isShown && isCovered
    if (!isApart) uncover(covered)
    rmSync(table, { force: true })
    return isApart ? new PrivateFolders(covered, shown) : undefined
  }

  /** Each start of the program finds them empty. */
  empty(): void {
    for (const folder of this.#covered) {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name)
        if (!this.#shown.some((each) => isBelowAny(each, [path]))) rmSync(path, { recursive: true, force: true })
      }
    }
  }
}

/** Of those alone that were covered: /tmp may be a mount of the machine's. */
function uncover(folders: readonly string[]): void {
  const mounted = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const ours = folders.filter((path) => mounted.some((line) => line.startsWith(`${source} ${word(path)} `)))
  if (ours.length > 0) spawnSync('umount', ['--lazy', ...ours.toReversed()], { env, stdio: 'ignore' })
}

function modeOf(path: string): string {
  return everybodys.includes(path) ? '1777' : '0755'
}

function isBelowAny(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
}

/** @see fstab(5): blanks and backslashes in octal */
function word(path: string): string {
  return path.replaceAll(/[\s\\#]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

async function endsWell(child: ChildProcess): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  child.on('error', () => resolve(false)) // no `mount` here
  child.on('exit', (code) => resolve(code === 0))
  return promise
}
