import { execFile, spawn } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { TestFairway, until } from '../../test/harness/fairway.ts'
import { askRaw } from '../../test/load/raw-client.ts'
import { freePort } from '../bare-start.ts'
import { median, type Part } from '../figure.ts'
import { example } from '../projects.ts'

const slices = 12
const sliceMs = 2_000
const connections = 32
const host = 'hello.localhost'
const bar = 1.08
const haproxy = 'haproxy'
const load = new URL('../proxy', import.meta.url).pathname
const run = promisify(execFile)
const path = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin'

/** What somebody would write by hand for the same three servers. */
const minimal = (port: number, servers: readonly string[], threads: string) => `
global
  nbthread ${threads}
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend web
  bind 127.0.0.1:${port}
  default_backend hello
backend hello
${servers.map((address, at) => `  server s${at + 1} ${address} check`).join('\n')}
`

export const part: Part = {
  name: 'proxy',
  what: `CPU of HAProxy per request, ours against a minimal haproxy.cfg; ${slices} slices of ${sliceMs / 1000} s each, in turn`,
  async measure(say) {
    await using fairway = await TestFairway.create()
    const cwd = await fairway.project(example)
    await fairway.ok(['up'], { cwd })
    const [service] = await fairway.status(cwd)
    const servers = service?.list.flatMap(({ address }) => address ?? []) ?? []
    const loader = join(fairway.root, 'proxy-load')
    await run('go', ['build', '-o', loader, '.'], { cwd: load, env: fairway.env })

    const port = await freePort()
    const file = join(fairway.root, 'minimal.cfg')
    const config = await readFile(join(fairway.home, 'gateway', 'haproxy.cfg'), 'utf8')
    const threads = /nbthread (\d+)/.exec(config)?.[1] ?? '1' // of threads that wait for one another each takes more
    await writeFile(file, minimal(port, servers, threads))
    const bare = spawn(haproxy, ['-f', file], { env: { PATH: path }, stdio: 'ignore' })
    const ended = new Promise((resolve) => bare.on('close', resolve))
    try {
      const at = { host: '127.0.0.1', port }
      await until(async () => (await askRaw(at, { path: '/', host })).kind === 'answer', 'the bare HAProxy answers')
      const worker = await workerOf(join(fairway.home, 'gateway'))
      const gateway = await fairway.gateway()
      for (const pid of [worker, bare.pid ?? 0]) await pin(pid, 1)
      for (const { pid } of service?.list ?? []) if (pid !== null) await pin(pid, 0)
      const ours: number[] = []
      const theirs: number[] = []
      for (let slice = 0; slice < slices; slice += 1) {
        ours.push(await cpuPerRequest(loader, gateway, worker))
        theirs.push(await cpuPerRequest(loader, at, bare.pid ?? 0))
        say(`${ours.at(-1)?.toFixed(2)} and ${theirs.at(-1)?.toFixed(2)} µs`)
      }
      const ratio = median(ours) / median(theirs)
      const least = Math.min(...ours) / Math.min(...theirs)
      return [
        {
          figure: 'proxy CPU per request ÷ a minimal haproxy.cfg',
          measured: ratio.toFixed(3),
          bar: `≤ ${bar}`,
          holds: ratio <= bar,
          detail: `${median(ours).toFixed(1)} ÷ ${median(theirs).toFixed(1)} µs, medians of ${slices}; the least of each: ${least.toFixed(3)}`,
        },
      ]
    } finally {
      bare.kill('SIGTERM')
      await ended
    }
  },
}

/** µs of CPU, user and system. @see proc(5): utime and stime of /proc/PID/stat, in ticks of 10 ms */
async function cpuPerRequest(loader: string, address: { host: string; port: number }, pid: number): Promise<number> {
  const before = await cpuMs(pid)
  const words = [`${address.host}:${address.port}`, host, String(connections), String(sliceMs)]
  const { stdout } = await run('taskset', ['--cpu-list', '0', loader, ...words])
  const spent = (await cpuMs(pid)) - before
  const [answered = 0, failed = 0] = stdout.trim().split(' ').map(Number)
  if (failed > 0 || answered === 0) throw new Error(`${failed} of ${answered + failed} requests failed`)
  return (spent * 1000) / answered
}

/** The proxy has a core of its own, programs and load share another: what is measured is not who waited for whom. */
async function pin(pid: number, core: number): Promise<void> {
  await run('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)])
}

async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** The HAProxy that carries the traffic: the child of the one started on our folder. */
async function workerOf(folder: string): Promise<number> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.split('\0').some((word) => word.startsWith(folder)) && command.includes('haproxy')) {
      found.push(Number(name))
    }
  }
  const worker = Math.max(...found) // the master was born first
  if (found.length < 2) throw new Error(`no worker of HAProxy on ${folder}`)
  return worker
}
