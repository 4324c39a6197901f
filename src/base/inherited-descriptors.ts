import { closeSync, readdirSync, readFileSync } from 'node:fs'

const closeOnExec = 0o2000000

/**
 * Closes what a shell left open above the standard streams: a lock or a pipe of the caller's script would else be held by
 * the control plane, and by all it starts, for as long as they run. Node opens its own descriptors close-on-exec and lets
 * what it inherits be, above the first 16: the flag tells the two apart.
 * @param keep the descriptors that were handed over on purpose
 */
export function closeInheritedDescriptors(keep: readonly number[]): void {
  for (const descriptor of readdirSync('/proc/self/fd').map(Number)) {
    if (descriptor <= 2 || keep.includes(descriptor)) continue
    try {
      if ((flagsOf(descriptor) & closeOnExec) === 0) closeSync(descriptor)
    } catch {
      // gone already: the one the folder was read by
    }
  }
}

function flagsOf(descriptor: number): number {
  const [, octal = ''] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? []
  return octal === '' ? closeOnExec : Number.parseInt(octal, 8)
}
