import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/**
 * Which project is meant: the folder that was named, else the nearest at or above the current one that has a fairway.yaml,
 * else, as for the go command, the nearest that has a go.mod.
 */
export function projectFolder(cwd: string, named: string | undefined): string {
  if (named !== undefined) return resolve(cwd, named)
  return nearestWith('fairway.yaml', cwd) ?? nearestWith('go.mod', cwd) ?? cwd
}

function nearestWith(file: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, file))) return folder
    if (folder === dirname(folder)) return undefined
  }
}
