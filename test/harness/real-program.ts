import { execFile } from 'node:child_process'
import { chmod, cp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Somebody else's module, as it is, in a folder of our own, by the module proxy that Go is set to. */
export async function copyModule(module: string, folder: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], { env, cwd: '/' })
  const { Dir } = JSON.parse(stdout) as { Dir: string }
  await cp(Dir, folder, { recursive: true })
  await makeWritable(folder) // Go's module cache is read-only
  await rm(join(folder, 'vendor'), { recursive: true, force: true }) // a module's zip has its list alone of it
}

/** One file more in its main package: another binary, for which nothing else is compiled. */
export async function changeProgram(folder: string): Promise<void> {
  await writeFile(join(folder, 'changed.go'), 'package main\n\nfunc init() {\n\tprintln("changed")\n}\n')
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await makeWritable(path)
    else if (entry.isFile()) await chmod(path, 0o644)
  }
}
