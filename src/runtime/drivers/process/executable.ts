import { open, stat } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'

/** ELF's e_machine, for what a machine of each kind runs. @see elf(5) */
const machines: Readonly<Record<string, readonly number[]>> = {
  x64: [62, 3],
  arm64: [183, 40],
  riscv64: [243],
  ppc64: [21],
}
const machineNames: Readonly<Record<number, string>> = {
  3: '386',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
}

/** Why the kernel would answer ENOEXEC to this beginning of a file; undefined when it would not. */
export function explainFormat(head: Uint8Array, arch: string): string | undefined {
  const bytes = Buffer.from(head)
  if (bytes.subarray(0, 2).toString('latin1') === '#!') return undefined
  if (bytes.length === 0) return 'it is empty'
  if (bytes.subarray(0, 4).toString('latin1') !== '\x7fELF' || bytes.length < 20) return foreignFormat(bytes)
  const machine = bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18)
  if (machines[arch]?.includes(machine) ?? true) return undefined
  return `it is built for ${machineNames[machine] ?? `machine ${machine}`}, this machine is ${arch === 'x64' ? 'amd64' : arch}`
}

function foreignFormat(bytes: Buffer): string {
  if (bytes.subarray(0, 2).toString('latin1') === 'MZ') return 'it is built for Windows'
  const macho = [0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe]
  if (bytes.length >= 4 && macho.includes(bytes.readUInt32BE(0))) return 'it is built for macOS'
  return 'it is neither a program nor a script with a #! line'
}

/** Looks at a program named by a path; one that is missing or found on the PATH is left to the exec itself. */
export async function refuseFormat(program: string, folder: string, arch = process.arch): Promise<string | undefined> {
  if (!program.includes('/')) return undefined
  const path = isAbsolute(program) ? program : resolve(folder, program)
  try {
    await using file = await open(path, 'r')
    if (!(await file.stat()).isFile()) return undefined
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    const reason = explainFormat(buffer.subarray(0, bytesRead), arch)
    return reason === undefined ? undefined : `fairway: ${program}: exec format error: ${reason}`
  } catch {
    return undefined
  }
}

/** The uppermost folder on the way to `path` (itself included) that the user may not enter; undefined when all are open. */
export async function blockedFolder(path: string, user: { uid: number; gid: number }): Promise<string | undefined> {
  if (user.uid === 0) return undefined
  const above = dirname(path)
  const blocked = above === path ? undefined : await blockedFolder(above, user)
  if (blocked !== undefined) return blocked
  const { mode, uid, gid } = await stat(path)
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  return (mode & bit) === 0 ? path : undefined
}
