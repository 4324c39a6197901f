import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { CommandContext } from './context.ts'

/** Whether the file protects this environment; parsed only where the word occurs at all. */
export async function isProtected({ options, cwd, environment }: CommandContext): Promise<boolean> {
  const folder = resolve(cwd, options.project)
  let text: string
  try {
    text = await readFile(join(folder, 'fairway.yaml'), 'utf8')
  } catch {
    return false
  }
  if (!text.includes('protected')) return false
  const { loadProject } = await import('../config/index.ts')
  const project = await loadProject({
    folder,
    environment: options.env,
    processEnvironment: environment,
    detectServices: async () => [],
  })
  return project.protected
}
