import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { execOk } from '../../src/base/exec.ts'
import { GoSupply } from '../../src/go/index.ts'
import {
  fillModuleCache,
  startModuleUpstream,
  toolchainModule,
  toolchains,
} from '../../test/harness/module-upstream.ts'
import { type Figure, median, type Part } from '../figure.ts'

const runs = 7
const version = toolchains.newer

/** From a zip that has come to the first word of its go: unpacked, proven against the log, finished, read-only. */
export const part: Part = {
  name: 'toolchain',
  what: `a toolchain from its zip to the first \`go version\`, against \`unzip\` of the same file; ${runs} runs of each in turn`,
  async measure() {
    const cache = await fillModuleCache([{ module: toolchainModule(version) }])
    const zip = join(cache, `golang.org/toolchain/@v/v0.0.1-go${version}.linux-amd64.zip`)
    await using upstream = await startModuleUpstream(cache)
    const root = await mkdtemp(join(tmpdir(), 'fairway-bench-'))
    const user = join(root, 'user') // go leaves notes there, also a moment later
    await mkdir(user)
    const ours: number[] = []
    const theirs: number[] = []
    try {
      for (let run = 0; run < runs; run += 1) {
        const home = join(root, 'home')
        await placeZip(zip, home, upstream.url)
        ours.push(await wallMs(async () => {
          const environment = { PATH: '/usr/bin:/bin', HOME: home, GOPROXY: upstream.url }
          const supply = new GoSupply({ home, environment, clock: systemClock, report: () => {}, proxy: () => Promise.resolve(undefined) })
          const { folder } = await supply.store.install(version)
          await execOk([join(folder, 'bin/go'), 'version'], { env: { HOME: user } })
        })) // prettier-ignore
        await rm(home, { recursive: true })
        const target = join(root, 'unzipped')
        theirs.push(await wallMs(async () => {
          await execOk(['unzip', '-q', '-d', target, zip], { env: { PATH: '/usr/bin:/bin' } })
        })) // prettier-ignore
        await rm(target, { recursive: true })
      }
    } finally {
      await rm(root, { recursive: true, force: true, maxRetries: 5 })
    }
    const ratio = median(ours) / median(theirs)
    const figure: Figure = {
      figure: 'toolchain zip → first `go version` ÷ `unzip`',
      measured: ratio.toFixed(2),
      bar: '≤ 1.3',
      holds: ratio <= 1.3,
      detail: `${median(ours).toFixed(0)} ÷ ${median(theirs).toFixed(0)} ms, medians of ${runs}`,
    }
    return [figure]
  },
}

/** As a download that was complete when its process was killed. */
async function placeZip(zip: string, home: string, url: string): Promise<void> {
  const work = join(home, 'toolchains/.work')
  await mkdir(work, { recursive: true })
  const part = join(work, `go${version}.zip`)
  await copyFile(zip, part)
  const address = `${url}/golang.org/toolchain/@v/v0.0.1-go${version}.linux-amd64.zip`
  await writeFile(`${part}.note`, JSON.stringify({ address }))
}

async function wallMs(act: () => Promise<void>): Promise<number> {
  const begin = performance.now()
  await act()
  return performance.now() - begin
}
