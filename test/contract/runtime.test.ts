import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { readBootId } from '../../src/base/process-identity.ts'
import { openProcessRuntime } from '../../src/runtime/index.ts'
import { buildProgram, freeAddress } from './runtime-program.ts'
import { runtimeContract } from './runtime.contract.ts'

for (const cgroups of ['probe', 'none'] as const) {
  runtimeContract(`process, control groups: ${cgroups}`, async () => {
    const program = await buildProgram()
    const base = await mkdtemp(join(tmpdir(), 'fairway-runtime-'))
    await chmod(base, 0o711)
    const bootId = await readBootId()
    const warnings: string[] = []
    const open = () =>
      openProcessRuntime({
        runFolder: join(base, 'run'),
        logFolder: join(base, 'logs'),
        bootId,
        clock: systemClock,
        cgroups,
        warn: (message) => warnings.push(message),
      })
    return {
      open,
      folder: program.folder,
      freeAddress,
      limitsMemory: cgroups === 'probe' && process.getuid?.() === 0,
      holdsTogether: cgroups === 'probe' && process.getuid?.() === 0,
      async [Symbol.asyncDispose]() {
        await program[Symbol.asyncDispose]()
        await rm(base, { recursive: true, force: true })
      },
    }
  })
}
