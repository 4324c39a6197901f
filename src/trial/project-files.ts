import { dataWorkdir } from '../config/index.ts'
import type { Known } from './known.ts'
import type { Place } from './observation.ts'

/** Pure questions to a project's list of files; paths are relative to the project, '.' is its root. */

export function below(folder: string, path: string): string {
  const tidy = path.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '')
  if (tidy === '' || tidy === '.') return folder
  return folder === '.' ? tidy : `${folder}/${tidy}`
}

/** Whether a path, as a program names it, is a file, a folder or a pattern with a match. */
export function isThere(files: readonly string[], folder: string, path: string): boolean {
  const whole = below(folder, path)
  if (whole === '.') return false
  if (!/[*?[]/.test(whole)) return files.some((file) => file === whole || file.startsWith(`${whole}/`))
  const pattern = globPattern(whole)
  return files.some((file) => pattern.test(file))
}

function globPattern(glob: string): RegExp {
  const text = glob
    .replaceAll(/[.+^${}()|\\]/g, String.raw`\$&`)
    .replaceAll('**/', '\u0000')
    .replaceAll('**', '\u0001')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
    .replaceAll('\u0000', '(?:.*/)?')
    .replaceAll('\u0001', '.*')
  try {
    return new RegExp(`^${text}$`)
  } catch {
    return /(?!)/ // a range that is none
  }
}

/** The folder from which most of what the source names is found; of equals the first. */
export function likeliestPlace({ source, folders, files, said }: Known): Place {
  if (said.workdir !== undefined || said.files !== undefined) {
    if (said.workdir === dataWorkdir) return { kind: 'data' }
    return { kind: 'artifact', workdir: said.workdir ?? '.', files: said.files ?? [] }
  }
  const hits = folders.map((folder) => ({
    folder,
    named: source.paths.filter(({ path }) => isThere(files, folder, path)).map(({ path }) => below(folder, path)),
  }))
  const best = hits.reduce((a, b) => (b.named.length > a.named.length ? b : a), { folder: '.', named: [] as string[] })
  return { kind: 'artifact', workdir: best.folder, files: tidyFiles(best.named) }
}

/** 'pb_data beside the binary': the folders of a trial are gone before anybody reads of them. */
export function shownPath(path: string): string {
  const own = /\/fairway-trial-[^/]+\/(bin|files-\d+|start-\d+\/\w+)\/(.+)/.exec(path)
  if (own === null) return path
  return own[1] === 'bin' ? `${own[2]} beside the binary` : (own[2] ?? path)
}

/** Without what another of them holds already. */
export function tidyFiles(paths: readonly string[]): string[] {
  const unique = [...new Set(paths)].toSorted()
  return unique.filter((path) => !unique.some((other) => other !== path && path.startsWith(`${other}/`)))
}

/**
 * Patterns for what a program was seen to read: a folder that was listed, or of which several files were read, stands for
 * all below it.
 */
export function patternsFor(read: readonly string[], files: readonly string[]): string[] {
  const isFolder = (path: string) => files.some((file) => file.startsWith(`${path}/`))
  const listed = read.filter((path) => path !== '.' && isFolder(path))
  const single = read.filter((path) => files.includes(path))
  const perFolder = Map.groupBy(single, (path) => path.split('/').slice(0, -1).join('/'))
  const crowded = [...perFolder].flatMap(([folder, paths]) => (folder !== '' && paths.length > 1 ? [folder] : []))
  return tidyFiles([...listed, ...crowded, ...single])
}

/** What patterns name: files, folders with all below them, globs. */
export function selectFiles(files: readonly string[], patterns: readonly string[]): string[] {
  const tidy = patterns.map((pattern) => below('.', pattern))
  const globs = tidy.filter((pattern) => /[*?[]/.test(pattern)).map(globPattern)
  return files.filter(
    (file) =>
      tidy.some((pattern) => pattern === '.' || file === pattern || file.startsWith(`${pattern}/`)) ||
      globs.some((glob) => glob.test(file)),
  )
}

/** The binary is called like its service, unless a file or folder that goes along has that name. */
export function binaryName(service: string, files: readonly string[]): string {
  const isTaken = (name: string) => files.some((file) => file === name || file.startsWith(`${name}/`))
  let name = service
  while (isTaken(name)) name = `${name}.bin`
  return name
}
