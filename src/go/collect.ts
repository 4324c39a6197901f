import { glob, lstat, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { type ArtifactFile, hashFile, isArtifactPath, pathRule } from '../artifact/index.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { within } from './source.ts'

const maxFiles = 10_000

/** A file of the artifact and where its content lies now. */
export interface CollectedFile extends ArtifactFile {
  readonly source: string
}

/**
 * What `files:` names, with the folders' content where a folder is named. Values and git's own files never go along,
 * whatever a pattern matches: an artifact travels, and is kept.
 * @throws FairwayError CONFIG_INVALID for a pattern that matches nothing, a link that leads out of the folder, too many
 */
export async function collectFiles(folder: string, patterns: readonly string[]): Promise<CollectedFile[]> {
  const found = new Map<string, CollectedFile>()
  for (const pattern of patterns) {
    let matched = false
    const tidy = pattern.replace(/^\.\//, '').replace(/\/+$/, '')
    // A folder stands for all below it.
    for (const each of new Set([tidy, `${tidy === '.' ? '' : `${tidy}/`}**`])) {
      for await (const name of glob(each, { cwd: folder, exclude: (path) => isPrivate(path) })) {
        if (isPrivate(name)) continue
        const file = await readEntry(folder, name, pattern)
        if (file === undefined) continue
        matched = true
        found.set(file.path, file)
        if (found.size > maxFiles) throw refuse(pattern, `matches more than ${maxFiles} files`)
      }
    }
    if (!matched) throw refuse(pattern, 'matches no file')
  }
  return [...found.values()]
}

/** '.env', '.env.production.local', '.git' */
function isPrivate(path: string): boolean {
  const name = basename(path)
  return name === '.git' || name === '.env' || name.startsWith('.env.')
}

async function readEntry(folder: string, name: string, pattern: string): Promise<CollectedFile | undefined> {
  const path = join(folder, name)
  const entry = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
    // Bytes that are no text were read as this sign: the name we know is not the name it has.
    const why = name.includes('\ufffd') ? 'has a name that is not UTF-8; rename it' : 'went away while it was read'
    throw refuse(pattern, `${JSON.stringify(name)} ${why}`)
  })
  let real: string
  try {
    real = await realpath(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ELOOP') throw refuse(pattern, `${name} is a symbolic link that leads nowhere`)
    throw error
  }
  if (!within(real, folder)) throw refuse(pattern, `${name} leads out of the project’s folder`)
  if (isPrivate(real)) throw refuse(pattern, `${name} is a link to ${basename(real)}, which stays out of artifacts`)
  const target = entry.isSymbolicLink() ? await stat(real) : entry
  if (target.isDirectory()) {
    if (entry.isSymbolicLink()) throw refuse(pattern, `${name} is a link to a folder; name that folder itself`)
    return undefined
  }
  if (!target.isFile()) throw refuse(pattern, `${name} is neither a file nor a folder`)
  const place = relative(folder, path).split(sep).join('/')
  if (!isArtifactPath(place))
    throw refuse(pattern, `${JSON.stringify(name)} cannot be a path in an artifact: ${pathRule}`)
  const digest = await hashFile(real)
  if (digest === undefined) throw refuse(pattern, `${name} went away while it was read`)
  return {
    path: place,
    digest,
    size: target.size,
    executable: (target.mode & 0o111) !== 0,
    source: real,
  }
}

function refuse(pattern: string, what: string): FairwayError {
  return new FairwayError('CONFIG_INVALID', `files: \`${pattern}\`: ${what}`, {
    hint: 'Patterns begin at the project’s folder: `templates`, `static/**/*.css`.',
  })
}
