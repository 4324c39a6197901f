import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/error.ts'
import { readText } from '../../base/read-file.ts'
import { type BilledModule, moduleName } from './bill.ts'
import { isLicenceFile, recogniseLicences } from './licence.ts'

/** Where the modules of a build lie unpacked. */
export interface ModuleFolders {
  /** GOMODCACHE. */
  readonly cache: string
  /** The main module's: its own licence, `vendor` and folders it replaces modules by. */
  readonly main: string
}

/**
 * Licences by the LICENSE files of the modules as they lie on this machine, by 'path@version'.
 * @param modules the first is the main module
 */
export async function findLicences(
  [main, ...modules]: readonly Pick<BilledModule, 'path' | 'version'>[],
  folders: ModuleFolders,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>()
  if (main !== undefined) found.set(moduleName(main), await licencesOf([folders.main]))
  for (const module of modules) {
    const { path, version } = module
    const isFolder = /^[./]/.test(path)
    const places = isFolder
      ? [path.startsWith('/') ? path : join(folders.main, path)]
      : [join(folders.cache, `${escaped(path)}@${escaped(version)}`), join(folders.main, 'vendor', path)]
    found.set(moduleName(module), await licencesOf(places))
  }
  return found
}

/** Of the first folder that is there. */
async function licencesOf(folders: readonly string[]): Promise<readonly string[]> {
  for (const folder of folders) {
    const names = await readdir(folder).catch((error: unknown) => {
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined
      throw error
    })
    if (names === undefined) continue
    const ids = await Promise.all(names.filter(isLicenceFile).map((name) => licencesIn(join(folder, name))))
    return [...new Set(ids.flat())].toSorted()
  }
  return []
}

/** Real ones have at most 50 KB. */
const largestLicence = 1024 * 1024

async function licencesIn(path: string): Promise<string[]> {
  const entry = await stat(path).catch(() => undefined)
  if (entry?.isFile() !== true || entry.size > largestLicence) return []
  return recogniseLicences(await readText(path))
}

/** As folders of the module cache are called: on some systems names that differ in case alone are one. */
function escaped(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`)
}
