import { access, constants, readFile, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, FairwayError } from '../../base/error.ts'
import { exec } from '../../base/exec.ts'
import { identifyProcess, isAlive, readBootId } from '../../base/process-identity.ts'
import { type BindAddress, type HomeConfig, homeDefaults, readHomeConfig } from '../../config/index.ts'
import { gatewayFiles, portHolder, probePort, requireHaproxy } from '../../gateway/index.ts'
import { findToolchain } from '../../go/index.ts'
import { formatAddress, probeNetworks } from '../../host/index.ts'
import { blockedFolder, parseListeningSockets, probeCgroups } from '../../runtime/index.ts'
import { version, type VersionAnswer } from '../../server/api.ts'
import { Client, isAbsent, isHung } from '../client.ts'
import { type CommandContext, serverAddress, socketPath } from '../context.ts'
import { describeHung } from '../hung.ts'
import type { AddressFacts, Found, HomeFacts, MachineFacts } from './findings.ts'

const program = new URL('../../..', import.meta.url).pathname

/** Looks at everything, changes nothing; what cannot be seen is a fact too. */
export async function gatherFacts(context: CommandContext): Promise<MachineFacts> {
  const { environment, home } = context
  const isRoot = process.getuid?.() === 0
  const [server, config] = await Promise.all([askServer(context), readConfig(context)])
  const [go, haproxy, git, cgroups, networks, homeFacts, addresses, ports, packages, limits] = await Promise.all([
    found(async () => (await findToolchain({ environment })).version),
    found(() => requireHaproxy(environment['FAIRWAY_HAPROXY'] ?? 'haproxy')),
    found(() => gitVersion(environment)),
    probeCgroups(`fairway-doctor-${process.pid}`),
    probeNetworks(process.getuid?.() ?? -1),
    lookAtHome(home, isRoot, config),
    lookAtAddresses(home, config.value, server.answer),
    lookAtPorts(config.value),
    lookAtPackages(),
    readOr('/proc/self/limits', ''),
  ])
  const openFiles = /^Max open files\s+(\S+)/m.exec(limits)?.[1] ?? 'unlimited'
  return {
    platform: process.platform,
    arch: process.arch,
    isRoot,
    hasProc: (await readOr('/proc/self/stat', '')) !== '',
    node: { version: process.versions.node, wanted: packages.node ?? process.versions.node },
    missingPackages: packages.missing,
    go,
    haproxy,
    git,
    missingTools: await missingTools(),
    cgroups: {
      kind: cgroups.kind,
      memory: cgroups.kind !== 'none' && cgroups.memory !== undefined && cgroups.memory !== false,
      cpu: cgroups.kind !== 'none' && cgroups.cpu !== undefined && cgroups.cpu !== false,
      why: cgroups.kind === 'none' ? cgroups.why : undefined,
    },
    networks: networks.kind === 'able' ? {} : { problem: networks.why, hint: networks.hint },
    openFiles: openFiles === 'unlimited' ? Infinity : Number(openFiles),
    home: homeFacts,
    addresses,
    ports,
    systemd: await lookAtSystemd(context),
    clock: {
      now: Date.now(),
      builtAt: (await stat(join(program, 'package-lock.json'))).mtimeMs,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    },
    server: { version: server.answer?.version, pid: server.answer?.pid, own: version, problem: server.problem },
  }
}

async function found(look: () => Promise<string>): Promise<Found> {
  try {
    return { version: await look() }
  } catch (error) {
    if (error instanceof FairwayError) return { problem: error.message, hint: error.hint }
    throw error
  }
}

async function gitVersion(environment: CommandContext['environment']): Promise<string> {
  const { stdout } = await exec(['git', '--version'], {
    env: { PATH: environment['PATH'] ?? '/usr/bin:/bin' },
    deadlineMs: 5000,
  })
  return stdout.trim().replace(/^git version /, '')
}

async function askServer(context: CommandContext): Promise<{ answer?: VersionAnswer; problem?: string }> {
  const address = await serverAddress(context)
  try {
    const client = new Client(address, context.who)
    return { answer: await client.json<VersionAnswer>('GET', '/v1/version') }
  } catch (error) {
    if (isAbsent(error)) return {}
    if (isHung(error) && address.kind === 'socket') return { problem: (await describeHung(context)).message }
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

async function readConfig({ home, environment }: CommandContext): Promise<{ value: HomeConfig; error?: FairwayError }> {
  try {
    return { value: await readHomeConfig(home, environment) }
  } catch (error) {
    if (error instanceof FairwayError) return { value: homeDefaults, error }
    throw error
  }
}

async function lookAtHome(home: string, isRoot: boolean, config: { error?: FairwayError }): Promise<HomeFacts> {
  const present = await nearest(home)
  const exists = present === home
  const entry = await stat(present)
  const isWritable = await access(present, constants.W_OK | constants.X_OK).then(
    () => entry.isDirectory(),
    () => false,
  )
  const disk = await statfs(present)
  // Fairway makes the home passable by itself; what is above it is the user's.
  const blocked = isRoot
    ? await blockedFolder(exists ? dirname(home) : present, { uid: 79_999, gid: 79_999 })
    : undefined
  return {
    path: home,
    exists,
    isWritable,
    freeBytes: disk.bavail * disk.bsize,
    freeInodes: disk.files === 0 ? Infinity : disk.ffree, // file systems without a table of files say 0
    mode: exists ? entry.mode & 0o777 : undefined,
    isOurs: !exists || isRoot || entry.uid === process.getuid?.(),
    pathProblem: problemOf(() => [socketPath(home), gatewayFiles(join(home, 'gateway'))]),
    blocked,
    configProblem: config.error && { problem: config.error.message, hint: config.error.hint },
  }
}

function problemOf(check: () => unknown): HomeFacts['pathProblem'] {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof FairwayError) return { problem: error.message, hint: error.hint }
    throw error
  }
}

/** The folder itself, or the nearest above it that is there. */
async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await stat(at)
      return at
    } catch (error) {
      if (at === '/') throw error
    }
  }
}

async function lookAtAddresses(
  home: string,
  config: HomeConfig,
  answer: VersionAnswer | undefined,
): Promise<AddressFacts[]> {
  const isGatewayOurs = await gatewayRuns(home)
  const look = async (what: AddressFacts['what'], bind: BindAddress, isOurs: boolean): Promise<AddressFacts> => {
    const text = formatAddress(bind)
    if (bind.port === 0) return { what, address: text, state: 'any' }
    const answered = await probePort(bind.host === '*' ? { ...bind, host: '0.0.0.0' } : bind)
    if (answered === 'free') return { what, address: text, state: 'free' }
    if (answered !== 'EADDRINUSE') return { what, address: text, state: 'refused', errno: answered }
    if (isOurs) return { what, address: text, state: 'ours' }
    return { what, address: text, state: 'taken', holder: describeHolder(await portHolder(bind.port)) }
  }
  return [
    await look('API', config.api, answer?.addresses.api === formatAddress(config.api)),
    await look('gateway', config.gateway, isGatewayOurs),
  ]
}

/** Also while the control plane is away: HAProxy goes on without it. */
async function gatewayRuns(home: string): Promise<boolean> {
  const text = await readOr(join(home, 'gateway', 'haproxy.json'), '{}')
  try {
    const { pid } = JSON.parse(text) as { pid?: number }
    const bootId = await readBootId()
    const identity = pid === undefined ? undefined : await identifyProcess(pid, bootId)
    return identity !== undefined && (await isAlive(JSON.parse(text) as typeof identity, bootId))
  } catch {
    return false
  }
}

async function lookAtPorts({ ports: { first, last } }: HomeConfig): Promise<MachineFacts['ports']> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readOr(`/proc/net/${name}`, '')))
  const listening = tables.flatMap(parseListeningSockets).map(({ address }) => address.port)
  const range = await readOr('/proc/sys/net/ipv4/ip_local_port_range', '')
  const [from, to] = range.trim().split(/\s+/).map(Number)
  return {
    first,
    last,
    inUse: new Set(listening.filter((port) => port >= first && port <= last)).size,
    ephemeral: from === undefined || to === undefined ? undefined : { first: from, last: to },
  }
}

async function lookAtPackages(): Promise<{ missing: string[]; node: string | undefined }> {
  const own = JSON.parse(await readFile(join(program, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const missing: string[] = []
  for (const [name, wanted] of Object.entries(own['dependencies'] ?? {})) {
    const text = await readOr(join(program, 'node_modules', name, 'package.json'), '{}')
    if ((JSON.parse(text) as { version?: string }).version !== wanted) missing.push(`${name} ${wanted}`)
  }
  return { missing, node: own['optionalDependencies']?.[`node-linux-${process.arch}`] }
}

async function missingTools(): Promise<string[]> {
  const missing: string[] = []
  for (const name of ['setsid', 'setpriv', 'fallocate']) {
    const places = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((folder) => stat(`${folder}/${name}`))
    await Promise.any(places).catch(() => missing.push(name))
  }
  return missing
}

async function lookAtSystemd({ environment }: CommandContext): Promise<MachineFacts['systemd']> {
  const links = [
    '/etc/systemd/system/multi-user.target.wants/fairway.service',
    `${environment['HOME'] ?? ''}/.config/systemd/user/default.target.wants/fairway.service`,
  ]
  const isInstalled = await Promise.any(links.map((link) => stat(link))).then(
    () => true,
    () => false,
  )
  const runs = await stat('/run/systemd/system').then(
    () => true,
    () => false,
  )
  return { runs, isInstalled }
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return otherwise
  }
}

function describeHolder(holder: Awaited<ReturnType<typeof portHolder>>): string | undefined {
  return holder === undefined ? undefined : `${holder.command} (pid ${holder.pid})`
}
