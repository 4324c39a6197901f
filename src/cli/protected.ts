import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandContext } from './context.ts'

/** Whether the file protects this environment; parsed only where the word occurs at all. */
export async function isProtected({ options, folder }: CommandContext): Promise<boolean> {
  let text: string
  try {
    text = await readFile(join(folder, 'fairway.yaml'), 'utf8')
  } catch {
    return false
  }
  if (!text.includes('protected')) return false
  const { protects } = await import('../config/index.ts')
  return protects(folder, options.env)
}
