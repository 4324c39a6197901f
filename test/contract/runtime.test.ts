import { makeProcessPlace } from './process-place.ts'
import { buildProgram, freeAddress } from './runtime-program.ts'
import { networkRemains } from '../harness/network-remains.ts'
import { runtimeContract } from './runtime.contract.ts'

// An ordinary user may have no control groups: then the first of the two is like the second.
const isRoot = process.getuid?.() === 0

for (const cgroups of ['probe', 'none'] as const) {
  runtimeContract(`process, control groups: ${cgroups}`, async () => {
    const program = await buildProgram()
    const place = await makeProcessPlace()
    return {
      open: () => place.open({ cgroups }),
      folder: program.folder,
      freeAddress,
      ...(isRoot ? { freeNetwork: (taken: ReadonlySet<string>) => place.networks.choose(taken) } : {}),
      networkRemains: () => networkRemains(place.networks.linkOf('0.0.0.1').slice(0, 8)),
      limitsMemory: cgroups === 'probe' && isRoot,
      holdsTogether: cgroups === 'probe' && isRoot,
      async [Symbol.asyncDispose]() {
        await place[Symbol.asyncDispose]()
        await program[Symbol.asyncDispose]()
      },
    }
  })
}
