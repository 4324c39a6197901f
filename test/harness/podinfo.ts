import { execFile } from 'node:child_process'
import { chmod, cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Somebody else's program, as it is: a web service whose port is a flag and whose health path is /healthz. */
const podinfo = 'github.com/stefanprodan/podinfo@v1.8.1-0.20250910200901-e86405a8674e'

/** Its source in a folder of our own, by the module proxy that Go is set to. */
export async function copyPodinfo(folder: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', podinfo], { env, cwd: '/' })
  const { Dir } = JSON.parse(stdout) as { Dir: string }
  await cp(Dir, folder, { recursive: true })
  await makeWritable(folder) // Go's module cache is read-only
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await makeWritable(path)
    else if (entry.isFile()) await chmod(path, 0o644)
  }
}

/** A change of one line, which the program shows in its answer. */
export async function setPodinfoVersion(folder: string, version: string): Promise<void> {
  const text = `package version\n\nvar VERSION = "${version}"\nvar REVISION = "unknown"\n`
  await writeFile(join(folder, 'pkg/version/version.go'), text)
}
