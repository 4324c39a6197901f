import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Address } from '../../host/index.ts'
import type { ExitStatus } from '../../runtime/index.ts'
import { ephemeralPorts } from '../ephemeral-ports.ts'
import type { PortAnswer } from '../observation.ts'
import { askPort, loadClients } from './ask-port.ts'
import { HeadAndTail } from './head-and-tail.ts'
import { listeningOf, members, residentBytes } from './members.ts'
import { PrivateFolders, type PrivateFolderOptions } from './private-folders.ts'
import type { SandboxAnswer, SandboxOrder } from './protocol.ts'

/**
 * The process within the sandbox: it starts the program, watches it and asks it, all in a network namespace that has a
 * loopback and nothing else, and with temporary folders of its own. Orders come in as lines, answers go out as lines; the end of the input is its end, and with
 * it, where it has a namespace of processes too, that of all it started.
 */

const firstPauseMs = 3
const longestPauseMs = 20
/** One that listens, but not where it was told, may yet. */
const settleMs = 250
/** It listens where it was told: others of its ports come within a moment. */
const restMs = 30
const maxPorts = 8

const making = PrivateFolders.make(JSON.parse(process.argv[2] ?? '') as PrivateFolderOptions)
making.catch(() => {}) // awaited below
try {
  setUpNetwork()
} catch (error) {
  process.stderr.write(
    `its loopback could not be brought up: ${error instanceof Error ? error.message : String(error)}\n`,
  )
  process.exit(1)
}
const asker = { isGone: false }
process.stdin.once('end', () => (asker.isGone = true)) // whoever asked is gone
const folders = await making.catch(() => undefined) // then they are the machine's
process.stdout.write(folders === undefined ? 'ready\n' : 'ready apart\n')
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await attempt(JSON.parse(line) as SandboxOrder)
  folders?.empty()
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit(0) // whatever is still open to what was asked

function setUpNetwork(): void {
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  // A machine has an address besides its loopback's, and some programs will not start on one that has none.
  spawnSync('ip', ['address', 'add', '10.231.0.1/32', 'dev', 'lo'], { env: { PATH: path } })
  const up = spawnSync('ip', ['link', 'set', 'lo', 'up'], { env: { PATH: path } })
  if (up.status !== 0) {
    // The one of this network, mounted for nobody else: unshare gave us mounts of our own.
    spawnSync('mount', ['-t', 'sysfs', 'sysfs', '/sys'], { env: { PATH: path } })
    writeFileSync('/sys/class/net/lo/flags', '0x1')
  }
  try {
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', `${ephemeralPorts.first} ${ephemeralPorts.last}`)
    // Whether a port below 1024 may be had is decided where it really runs.
    writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '0')
  } catch {} // the kernel's settings are read-only here
}

async function attempt(order: SandboxOrder): Promise<SandboxAnswer> {
  const { argv, env, cwd, until, told, withinMs, maxMemoryBytes } = order
  const [program, ...args] = argv
  const output = new HeadAndTail(64 * 1024)
  const begun = performance.now()
  const livedMs = () => Math.round(performance.now() - begun)
  const child = spawn(program, args, { cwd, env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const seen: { exit?: ExitStatus } = {}
  const closed = new Promise<void>((resolve) => {
    child.on('close', () => resolve())
    child.on('error', (error) => {
      output.push(Buffer.from(`${error.message}\n`))
      seen.exit = { kind: 'unknown' }
      resolve()
    })
  })
  child.on('exit', (code, signal) => {
    seen.exit = signal === null ? { kind: 'exit', code: code ?? 0 } : { kind: 'signal', signal }
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  if (until === 'serve') void loadClients() // while the program starts
  const { pid } = child
  if (pid === undefined) {
    await closed
    return { output: output.text(), exit: { kind: 'unknown' }, livedMs: livedMs(), ports: [] }
  }
  try {
    let listening: Address[] = []
    let listensSince: number | undefined
    let pauseMs = firstPauseMs
    while (seen.exit === undefined && livedMs() < withinMs && !asker.isGone) {
      await delay(pauseMs)
      pauseMs = Math.min(longestPauseMs, pauseMs * 1.3)
      const pids = members(pid)
      if (residentBytes(pids) > maxMemoryBytes) {
        seen.exit = { kind: 'out-of-memory' }
        break
      }
      listening = listeningOf(pids)
      if (listening.length === 0) continue
      if (until === 'help' || listening.some(({ port }) => told.includes(port))) break
      listensSince ??= livedMs()
      if (livedMs() - listensSince > settleMs) break
    }
    const asked = new Map<number, Promise<PortAnswer>>()
    const ask = (each: Address) => {
      const answer = asked.get(each.port) ?? askPort(each)
      asked.set(each.port, answer)
      answer.catch(() => {}) // awaited below, unless it ended meanwhile
      return answer
    }
    if (seen.exit === undefined && listening.length > 0 && until === 'serve') {
      for (const each of listening.slice(0, maxPorts)) void ask(each) // while others of its ports may still come
      await delay(restMs)
      listening = listeningOf(members(pid))
    }
    const isServing = seen.exit === undefined && until === 'serve' && !asker.isGone
    const ports = isServing ? await Promise.all(listening.slice(0, maxPorts).map(ask)) : []
    const lived = livedMs()
    const { exit: ended } = seen
    if (ended !== undefined) await Promise.race([closed, delay(100)]) // its last words are still in the pipe
    return { output: output.text(), ...(ended === undefined ? {} : { exit: ended }), livedMs: lived, ports }
  } finally {
    await endAll(pid, () => child.exitCode !== null || child.signalCode !== null)
    for (const stream of [child.stdout, child.stderr]) stream.destroy()
  }
}

/** Until nobody is left: what forks while it is looked for is found the next time. */
async function endAll(leader: number, isGone: () => boolean): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    const left = members(leader).filter((pid) => pid !== leader || !isGone())
    if (left.length === 0) return
    for (const pid of left) {
      try {
        process.kill(pid, constants.signals.SIGKILL)
      } catch {} // it ended meanwhile
    }
    await delay(2)
  }
}
