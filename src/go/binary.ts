import { open } from 'node:fs/promises'
import { readElf, type Target, targetName } from '../artifact/index.ts'
import { FairwayError } from '../base/error.ts'
import type { CgoMode } from './flags.ts'

/**
 * Holds a finished binary to what was promised of it: its system, its architecture, and, without cgo or with `static`,
 * that it asks for no library of the machine it runs on.
 * @throws FairwayError BUILD_FAILED
 */
export async function checkBinary(path: string, target: Target, mode: CgoMode): Promise<void> {
  const wrong = async (): Promise<string | undefined> => {
    if (target.os === 'windows') return (await startsWith(path, '4d5a')) ? undefined : 'is no Windows program'
    if (target.os === 'darwin' || target.os === 'ios') return undefined // Mach-O, of which nothing more is read
    if (target.os === 'js' || target.os === 'wasip1' || target.os === 'aix' || target.os === 'plan9') return undefined
    const elf = await readElf(path)
    if (elf === undefined) return 'is no ELF file'
    if (elf.arch !== target.arch) return `is for ${elf.arch}`
    const asksFor = [...(elf.interpreter === undefined ? [] : [elf.interpreter]), ...elf.libraries]
    const isStatic = mode === 'static' || (mode === 'off' && target.os === 'linux')
    return isStatic && asksFor.length > 0 ? `asks for ${asksFor.join(', ')}` : undefined
  }
  const what = await wrong()
  if (what === undefined) return
  const promised = `${targetName(target)}${mode === 'static' ? ', static' : ''}`
  throw new FairwayError('BUILD_FAILED', `What go built for ${promised} ${what}`, {
    hint:
      mode === 'static'
        ? 'A library that is loaded at run time cannot be inside: go: { cgo: true } in fairway.yaml'
        : 'Flags in fairway.yaml (go: { ldflags }) may have changed it.',
  })
}

async function startsWith(path: string, hex: string): Promise<boolean> {
  await using file = await open(path, 'r')
  const buffer = Buffer.alloc(hex.length / 2)
  await file.read(buffer, 0, buffer.length, 0)
  return buffer.toString('hex') === hex
}
