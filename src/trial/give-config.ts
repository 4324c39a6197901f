import { findConfigFiles } from './clues.ts'
import type { Known } from './known.ts'
import type { Setup } from './setup.ts'

/** A configuration file of the project, told by a flag: a setup each. */
export function giveConfigFiles(setup: Setup, flag: string, { files, service }: Known): Setup[] {
  if (setup.args.includes(flag) || setup.args.some((word) => word.startsWith(`${flag}=`))) return []
  return findConfigFiles(files, service).map((path) => ({
    ...setup,
    args: [...setup.args, ...(flag.length === 2 ? [flag, path] : [`${flag}=${path}`])],
    place: { kind: 'copy', workdir: '.' },
    because: [...setup.because, `it wants a configuration file, and the project has ${path} (${flag})`],
  }))
}

/** One of the project's, where its usage asks for a configuration file: `serve <config>`. */
export function givePositionalFile(setup: Setup, { files, folders, service }: Known): Setup[] {
  const found = findConfigFiles(files, service)
  if (found.some((path) => setup.args.includes(path))) return []
  // Beside the main package before any other place.
  const main = folders.at(-1) ?? '.'
  const isBeside = (path: string) => main !== '.' && path.startsWith(`${main}/`)
  return found
    .toSorted((a, b) => Number(isBeside(b)) - Number(isBeside(a)))
    .map((path) => ({
      ...setup,
      args: [...setup.args, path],
      place: { kind: 'copy', workdir: '.' },
      because: [...setup.because, `its usage asks for a configuration file, and the project has ${path}`],
    }))
}
