import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readText } from '../base/read-file.ts'

/** A project of the time before modules: what shows it, and the path it is imported by, where it says so. */
export interface OldProject {
  /** 'Gopkg.lock' */
  readonly sign: string
  /** 'github.com/acme/shop' */
  readonly path?: string
}

const signs = ['Gopkg.lock', 'Gopkg.toml', 'Godeps/Godeps.json', 'glide.lock', 'glide.yaml', 'vendor/vendor.json', 'vendor.conf', 'vendor'] // prettier-ignore

/** @returns undefined for what is no Go project at all */
export async function findOldProject(folder: string): Promise<OldProject | undefined> {
  const path = await importPath(folder)
  for (const sign of signs) {
    if (await exists(join(folder, sign))) return { sign, ...(path === undefined ? {} : { path }) }
  }
  const inside = await holdsGo(folder, 3)
  return inside === undefined ? undefined : { sign: inside, ...(path === undefined ? {} : { path }) }
}

/** What to do with it: the commands, one after the other. */
export function modernize({ sign, path }: OldProject): string {
  const name = path ?? 'example.com/NAME'
  const vendored = sign.startsWith('vendor') ? ' && go mod vendor' : ''
  return `It holds Go code of the time before modules (${sign}); make it a module: go mod init ${name} && go mod tidy${vendored}`
}

/** From the files of the tools of that time, else from where git fetches it. */
async function importPath(folder: string): Promise<string | undefined> {
  const read = (name: string) => readText(join(folder, name)).catch(() => '')
  const said =
    /"(?:ImportPath|rootPath)"\s*:\s*"([\w.]+\.[a-z]+\/[^"]+)"/.exec(
      (await read('Godeps/Godeps.json')) + (await read('vendor/vendor.json')),
    ) ?? /^package:\s*(\S+)/m.exec(await read('glide.yaml'))
  if (said?.[1] !== undefined) return said[1]
  const [, host, path] =
    /url\s*=\s*(?:[a-z+]+:\/\/)?(?:[^@\s/]+@)?([\w.-]+\.[a-z]+)(?::\d+)?[:/](\S+?)(?:\.git)?\s*$/m.exec(
      await read('.git/config'),
    ) ?? []
  return host === undefined || path === undefined ? undefined : `${host}/${path}`
}

async function holdsGo(folder: string, depth: number): Promise<string | undefined> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const file = entries.find((entry) => entry.isFile() && entry.name.endsWith('.go'))
  if (file !== undefined) return file.name
  for (const entry of entries) {
    if (depth <= 1 || !entry.isDirectory() || /^[._]|^(?:testdata|node_modules)$/.test(entry.name)) continue
    const below = await holdsGo(join(folder, entry.name), depth - 1)
    if (below !== undefined) return `${entry.name}/${below}`
  }
  return undefined
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
