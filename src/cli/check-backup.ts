import { chmod, lchown, lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FairwayError } from '../base/error.ts'

/** What makes a home, and who may read it: the rest (run, logs, cache) comes by itself. */
export const homeFiles: Readonly<Record<string, number>> = {
  'state.db': 0o600,
  key: 0o600,
  id: 0o644,
  token: 0o600,
  'config.yaml': 0o644,
}
export const homeFolders = ['artifacts', 'data']

/** What stands in the files of one line. */
const lines: Readonly<Record<string, { pattern: RegExp; what: string }>> = {
  id: { pattern: /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/, what: 'is not a UUID' },
  token: { pattern: /^[\x21-\x7e]+$/, what: 'is not a token' },
}

/** data/PROJECT/ENVIRONMENT/SERVICE is Fairway's; what lies below belongs to the service's own user. */
const ownDepth = 4

/**
 * An unpacked backup becomes what `backUp` would have written, or is refused: a file from elsewhere may hold anything, and
 * root unpacks it. In a service's own folder links and pipes are the service's matter, and owners stay.
 * @throws FairwayError STATE_CORRUPT naming what does not belong into a home
 */
export async function checkBackup(folder: string): Promise<void> {
  const isRoot = process.getuid?.() === 0
  for (const name of await readdir(folder)) {
    if (!Object.hasOwn(homeFiles, name) && !homeFolders.includes(name)) throw foreign(name, 'is no part of a home')
  }
  const visit = async (path: string, depth: number): Promise<void> => {
    const name = path.slice(folder.length + 1)
    const entry = await lstat(path)
    const isService = name.startsWith('data/') && depth > ownDepth
    if (isRoot && !isService) await lchown(path, 0, 0)
    if (isService && (entry.isSymbolicLink() || entry.isFIFO())) return
    const mayBeFile = !homeFolders.includes(name)
    const mayBeFolder = !Object.hasOwn(homeFiles, name)
    if (!(mayBeFile && entry.isFile()) && !(mayBeFolder && entry.isDirectory())) {
      throw foreign(name, `is not a ${mayBeFile ? (mayBeFolder ? 'file or folder' : 'file') : 'folder'}`)
    }
    // Nothing runs as its owner, and what is Fairway's is written by Fairway alone.
    await chmod(path, entry.mode & (homeFiles[name] ?? (isService ? 0o777 : 0o755)))
    if (entry.isDirectory()) for (const child of await readdir(path)) await visit(join(path, child), depth + 1)
  }
  const names = await readdir(folder)
  for (const name of names) await visit(join(folder, name), 1)
  // Without it a new one would be made, and no secret that a release keeps could be opened.
  if (!names.includes('key')) throw foreign('key', 'is missing')
  for (const [name, { pattern, what }] of Object.entries(lines)) {
    if (!names.includes(name)) continue // made anew at the next start
    if (!pattern.test((await readFile(join(folder, name), 'utf8')).trim())) throw foreign(name, what)
  }
}

function foreign(name: string, what: string): FairwayError {
  return new FairwayError('STATE_CORRUPT', `This is no backup of a home: ${JSON.stringify(name)} ${what}`, {
    hint: '`fairway server backup FILE` writes one. Nothing was changed.',
  })
}
