import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { readBootId } from '../../src/base/process-identity.ts'
import type { AddressRange } from '../../src/config/index.ts'
import { InstanceNetworks } from '../../src/host/index.ts'
import { openProcessRuntime, type ProcessRuntimeOptions, type Runtime } from '../../src/runtime/index.ts'

/** A folder for the process driver, and what was said by the runtimes opened there. */
export interface ProcessPlace extends AsyncDisposable {
  readonly base: string
  readonly runFolder: string
  readonly logFolder: string
  readonly warnings: string[]
  readonly networks: InstanceNetworks
  /** A control plane's own: it knows only what stands on disk. */
  openNetworks(range?: AddressRange): InstanceNetworks
  open(more?: Partial<ProcessRuntimeOptions>): Promise<Runtime>
}

export async function makeProcessPlace(): Promise<ProcessPlace> {
  const base = await mkdtemp(join(tmpdir(), 'fairway-runtime-'))
  await chmod(base, 0o711)
  const bootId = await readBootId()
  const [runFolder, logFolder, warnings] = [join(base, 'run'), join(base, 'logs'), [] as string[]]
  const warn = (message: string) => void warnings.push(message)
  const statePath = join(base, 'network.json')
  const openNetworks = (range?: AddressRange) =>
    new InstanceNetworks({ statePath, homeId: base, range, clock: systemClock, warn })
  const open = (more: Partial<ProcessRuntimeOptions> = {}) =>
    openProcessRuntime({ runFolder, logFolder, bootId, clock: systemClock, warn, networks: openNetworks(), ...more })
  return {
    base,
    runFolder,
    logFolder,
    warnings,
    networks: openNetworks(),
    openNetworks,
    open,
    async [Symbol.asyncDispose]() {
      const runtime = await open()
      for (const { id } of await runtime.list()) {
        await runtime.stop(id, { graceMs: 0 })
        await runtime.forget(id)
      }
      await rm(base, { recursive: true, force: true })
    },
  }
}
