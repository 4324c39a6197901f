import { join } from 'node:path'
import { readText } from '../base/read-file.ts'
import { moduleName, namePattern, validName } from './scope.ts'

/**
 * The project's name, read without a YAML parser: a plain command asks nothing else of the file. `up` reads it whole,
 * with every check; a test holds the two answers together.
 * @returns undefined where the folder holds neither fairway.yaml nor go.mod nor go.work, or the name can be had by the full reading only
 */
export async function findProjectName(folder: string): Promise<string | undefined> {
  const file = await textOf(join(folder, 'fairway.yaml'))
  const written = /^(?:project|"project"|'project')[ \t]*:[ \t]*(['"]?)([a-z][a-z0-9-]*)\1[ \t]*(?:#.*)?\r?$/m.exec(
    file ?? '',
  )?.[2]
  if (written !== undefined && namePattern.test(written)) return written
  const module = await textOf(join(folder, 'go.mod'))
  const isProject = file !== undefined || module !== undefined || (await textOf(join(folder, 'go.work'))) !== undefined
  if (!isProject) return undefined
  return (
    nameFromModule(module) ??
    validName(
      folder
        .split('/')
        .filter((part) => part !== '')
        .at(-1) ?? '',
    )
  )
}

/** From the `module` line of go.mod. */
export function nameFromModule(goMod: string | undefined): string | undefined {
  const path = /^\s*module\s+["`]?([^\s"`]+)/m.exec(goMod ?? '')?.[1]
  return path === undefined ? undefined : validName(moduleName(path))
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readText(path)
  } catch {
    return undefined
  }
}
