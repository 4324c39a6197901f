import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyModule } from './real-program.ts'

/** Somebody else's program, as it is: a web service whose port is a flag and whose health path is /healthz. */
const podinfo = 'github.com/stefanprodan/podinfo@v1.8.1-0.20250910200901-e86405a8674e'

/** Its source in a folder of our own. */
export async function copyPodinfo(folder: string, env: Readonly<Record<string, string>>): Promise<void> {
  await copyModule(podinfo, folder, env)
}

/** A change of one line, which the program shows in its answer. */
export async function setPodinfoVersion(folder: string, version: string): Promise<void> {
  const text = `package version\n\nvar VERSION = "${version}"\nvar REVISION = "unknown"\n`
  await writeFile(join(folder, 'pkg/version/version.go'), text)
}
