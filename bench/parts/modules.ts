import { execFile, spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { TestFairway, until } from '../../test/harness/fairway.ts'
import { fillModuleGraph } from '../../test/harness/module-graph.ts'
import {
  fillModuleCache,
  podinfo,
  startModuleUpstream,
  toolchainModule,
  toolchains,
} from '../../test/harness/module-upstream.ts'
import { askRaw } from '../../test/load/raw-client.ts'
import { freePort } from '../bare-start.ts'
import { type Figure, median, type Part } from '../figure.ts'
import { processMemory } from '../process-memory.ts'

const slices = 7
const sliceMs = 2_000
const connections = 32
const downloads = 5
/** Longer than whatever is kept for the next request. */
const restMs = 10_000
const run = promisify(execFile)
const load = new URL('../modules', import.meta.url).pathname
const path = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin'
const [toolchain = '', version = ''] = toolchainModule(toolchains.newer).split('@')

/** As Debian has it, but for connections, which are never ended, and logs, which ours does not write either. */
const nginxConfig = (port: number, folder: string, root: string) => `
daemon off;
worker_processes auto;
pid ${root}/nginx.pid;
error_log ${root}/nginx.err;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  access_log off;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_body_temp_path ${root}; proxy_temp_path ${root}; fastcgi_temp_path ${root}; uwsgi_temp_path ${root}; scgi_temp_path ${root};
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`

export const part: Part = {
  name: 'modules',
  what: `the module proxy against nginx serving its files, and \`go mod download\` through it; ${slices} slices of ${sliceMs / 1000} s, ${downloads} downloads`,
  async measure(say) {
    const graph = await fillModuleGraph(podinfo)
    await fillModuleCache([{ module: toolchainModule(toolchains.newer) }])
    await using upstream = await startModuleUpstream(graph.upstream)
    await using fairway = await TestFairway.create({ GOPROXY: upstream.url })
    const loader = join(fairway.root, 'modules-load')
    await run('go', ['build', '-o', loader, '.'], { cwd: load, env: fairway.env })
    await fairway.ok(['server', 'start'])
    const through = await measureDownloads(graph, upstream.url, fairway, say)
    const { address, pid } = await startEmpty(fairway)
    const proxy = `http://${address}/goproxy`
    const file = `${toolchain}/@v/${version}`
    await delay(restMs)
    const idle = await processMemory(pid) // nothing was ever fetched or served
    for (const kind of ['zip', 'info']) await askOnce(`${proxy}/${file}.${kind}`)
    await delay(restMs)
    const fetched = await processMemory(pid)
    const most = await watchMemory(pid, () => ask(loader, address, `/goproxy/${file}.zip`))
    await delay(restMs)
    const served = await processMemory(pid)

    const port = await freePort()
    await writeFile(
      join(fairway.root, 'nginx.conf'),
      nginxConfig(port, join(fairway.home, 'modules/download'), fairway.root),
    )
    await run('chmod', ['-R', 'a+rX', fairway.home])
    const nginx = spawn('nginx', ['-c', join(fairway.root, 'nginx.conf')], { env: { PATH: path }, stdio: 'ignore' })
    const ended = new Promise((resolve) => nginx.on('close', resolve))
    try {
      const at = { host: '127.0.0.1', port }
      await until(async () => (await askRaw(at, { path: '/', host: 'localhost' })).kind === 'answer', 'nginx answers')
      const rates: Record<string, number[]> = { ourInfos: [], theirInfos: [], ourBytes: [], theirBytes: [] }
      for (let slice = 0; slice < slices; slice += 1) {
        rates['ourInfos']?.push((await ask(loader, address, `/goproxy/${file}.info`)).answers)
        rates['theirInfos']?.push((await ask(loader, `127.0.0.1:${port}`, `/${file}.info`)).answers)
        rates['ourBytes']?.push((await ask(loader, address, `/goproxy/${file}.zip`)).bytes)
        rates['theirBytes']?.push((await ask(loader, `127.0.0.1:${port}`, `/${file}.zip`)).bytes)
      }
      const middle = (key: string) => median(rates[key] ?? [])
      const perSecond = (count: number) => count / (sliceMs / 1000)
      const infos = middle('ourInfos') / middle('theirInfos')
      const bytes = middle('ourBytes') / middle('theirBytes')
      return [
        figure('cached .info, requests/s ÷ nginx', infos.toFixed(2), '≥ 0.25', infos >= 0.25,
          `${perSecond(middle('ourInfos')).toFixed(0)} ÷ ${perSecond(middle('theirInfos')).toFixed(0)}, ${connections} clients, medians of ${slices}`),
        figure('cached zip, bytes/s ÷ nginx', bytes.toFixed(2), '≥ 0.8', bytes >= 0.8,
          `${(perSecond(middle('ourBytes')) / 1e6).toFixed(0)} ÷ ${(perSecond(middle('theirBytes')) / 1e6).toFixed(0)} MB/s, ${connections} clients, medians of ${slices}`),
        figure('memory while 32 clients take a 70 MB zip − idle', `${(most - idle.rssMb).toFixed(0)} MB`, '≤ 60 MB', most - idle.rssMb <= 60,
          `RSS, the most while it serves: ${most.toFixed(0)} − ${idle.rssMb.toFixed(0)} MB before anything was fetched`),
        figure('PSS of the control plane after that zip was fetched, and served', `${Math.max(fetched.pssMb, served.pssMb).toFixed(0)} MB`, '≤ 120 MB',
          Math.max(fetched.pssMb, served.pssMb) <= 120,
          `${idle.pssMb.toFixed(0)} MB before, ${fetched.pssMb.toFixed(0)} MB ${restMs / 1000} s after it was fetched, ${served.pssMb.toFixed(0)} MB ${restMs / 1000} s after it was served`),
        ...through,
      ] // prettier-ignore
    } finally {
      nginx.kill('SIGTERM')
      await ended
    }
  },
}

function figure(name: string, measured: string, bar: string, holds: boolean, detail: string): Figure {
  return { figure: name, measured, bar, holds, detail }
}

async function ask(loader: string, address: string, target: string): Promise<{ answers: number; bytes: number }> {
  const { stdout } = await run(loader, [address, target, String(connections), String(sliceMs)])
  const [answers = 0, bytes = 0, failed = 0] = stdout.trim().split(' ').map(Number)
  if (failed > 0 || bytes === 0) throw new Error(`${failed} requests for ${target} failed`)
  return { answers, bytes }
}

async function askOnce(url: string): Promise<void> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  for await (const _ of answer.body ?? []); // read, and kept nowhere
}

/** A control plane that has loaded its proxy and has nothing in it. */
async function startEmpty(fairway: TestFairway): Promise<{ address: string; pid: number }> {
  await fairway.ok(['server', 'stop'])
  for (const folder of ['modules', 'sumdb']) await rm(join(fairway.home, folder), { recursive: true, force: true })
  await fairway.ok(['server', 'start'])
  const { addresses, pid } = await fairway.version()
  await fetch(`http://${addresses.api}/goproxy/none`).then((answer) => answer.arrayBuffer())
  return { address: addresses.api, pid }
}

/** @returns the most it had at any look while that went on, as RSS in MB */
async function watchMemory(pid: number, act: () => Promise<unknown>): Promise<number> {
  let most = 0
  const done = act().then(() => true)
  const soon = () => delay(100).then(() => false)
  do most = Math.max(most, (await processMemory(pid)).rssMb)
  while (!(await Promise.race([done, soon()])))
  return most
}

/** A module cache that is empty each time; ours is emptied for each cold one. */
async function measureDownloads(
  graph: Awaited<ReturnType<typeof fillModuleGraph>>,
  upstream: string,
  fairway: TestFairway,
  say: (text: string) => void,
): Promise<Figure[]> {
  const download = async (GOPROXY: string): Promise<number> => {
    const folder = await graph.freshPath()
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: fairway.root,
      GOENV: 'off',
      GOFLAGS: '-modcacherw',
      GOTOOLCHAIN: 'local',
      GOPATH: folder,
      GOPROXY,
    }
    const begin = performance.now()
    await run('go', ['mod', 'download'], { cwd: graph.source, env, maxBuffer: 1 << 26 })
    const took = performance.now() - begin
    await rm(folder, { recursive: true })
    return took
  }
  const [straight, cold, warm]: [number[], number[], number[]] = [[], [], []]
  await download(upstream) // files are in the page cache for all
  for (let n = 0; n < downloads; n += 1) {
    straight.push(await download(upstream))
    const now = `http://${(await startEmpty(fairway)).address}/goproxy`
    cold.push(await download(now))
    warm.push(await download(now))
    say(`straight ${straight.at(-1)?.toFixed(0)}, cold ${cold.at(-1)?.toFixed(0)}, warm ${warm.at(-1)?.toFixed(0)} ms`)
  }
  return ([['cold', cold, 1.3], ['warm', warm, 1.05]] as const).map(([name, times, bar]) => {
    const ratio = median(times) / median(straight)
    return figure(`\`go mod download\` of podinfo through a ${name} proxy ÷ straight`, ratio.toFixed(2), `≤ ${bar}`, ratio <= bar,
      `${median(times).toFixed(0)} ÷ ${median(straight).toFixed(0)} ms, medians of ${downloads}`)
  }) // prettier-ignore
}
