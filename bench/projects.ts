import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The service of the demo: one file, the standard library alone. */
export const example = new URL('../examples/hello', import.meta.url).pathname

/** A change of one line, which each answer shows in its X-Version. */
export async function setExampleVersion(folder: string, version: string): Promise<void> {
  const path = join(folder, 'main.go')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/const version = "[^"]*"/, `const version = "${version}"`))
}
