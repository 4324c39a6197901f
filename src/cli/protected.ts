import { join } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { CommandContext } from './context.ts'

/** Whether the file protects this environment; parsed only where the word occurs at all. */
export async function isProtected({ options, folder }: CommandContext): Promise<boolean> {
  let text: string
  try {
    text = await readText(join(folder, 'fairway.yaml'))
  } catch {
    return false
  }
  if (!text.includes('protected')) return false
  const { protects } = await import('../config/index.ts')
  return protects(folder, options.env)
}
