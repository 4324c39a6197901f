import { createHash } from 'node:crypto'
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { type Abortable } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { errnoOf, FairwayError } from '../../base/error.ts'
import { type Argv, exec, execOk, lastLines } from '../../base/exec.ts'
import { KeyedQueue } from '../../base/keyed-queue.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { type AddressRange, formatAddressRange, isWithin, overlap, parseAddressRange } from '../../config/index.ts'
import { type NetworkAbility, type NetworkTools, probeNetworks } from './ability.ts'
import { chooseRange, instanceAddress, linkName, machineEnd, pairsIn, parseRoutes } from './pairs.ts'
import { planResolver } from './resolver.ts'
import {
  acceptRules,
  instanceBatch,
  instanceRules,
  linkBatch,
  machineRules,
  ownHandles,
  strictChains,
} from './rules.ts'

export interface InstanceNetworksOptions {
  /** Where the range is recorded, and whether the machine holds anything of ours. */
  readonly statePath: string
  /** Of the home, and no copy of it: what it makes bears a name of its own. */
  readonly homeId: string
  /** As HOME/config.yaml says. */
  readonly range: AddressRange | undefined
  readonly clock: Clock
  readonly warn: (message: string) => void
  readonly uid?: number
}

/** What an instance's own network is to be. */
export interface NetworkWish {
  /** Of this home's range. */
  readonly address: string
  /** Ports the program listens on, on all addresses or on 127.0.0.1 alone. */
  readonly ports: readonly number[]
  /** Ports on 127.0.0.1 that are the machine's from within, too. */
  readonly machinePorts: readonly number[]
}

const stateSchema = z.object({ range: z.string(), isPrepared: z.boolean() })

/** Commands of a few ms; a kernel that is busy taking namespaces apart may hold them up. */
const deadlineMs = 10_000
/** What is not able today may be tomorrow: `nftables` was installed. */
const askAgainMs = 10_000
/** From the spawn to the `unshare`. */
const unsharedWithinMs = 5000
const shared = 'shared'

/** Words by position: `ip`, `nft`, and what each is told. It runs within the namespace, as root. */
const furnish = `set -e
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
printf %s "$3" | "$1" -batch -
printf %s "$4" | "$2" -f -`

/**
 * Networks of instances' own: a namespace each, tied to the machine by a veth link of two addresses. The namespace has no
 * name and is held by the instance's processes alone: with the last of them it is gone, and its link with it, whether or
 * not a control plane is there. What they share is one nft table of the home's own.
 */
export class InstanceNetworks {
  readonly #options: InstanceNetworksOptions
  readonly #prefix: string
  readonly #table: string
  readonly #metric: string
  readonly #queue = new KeyedQueue()
  #ability: Promise<NetworkAbility> | undefined
  #askAgainAt = 0
  #range: AddressRange | undefined
  /** Where the next search begins: an address just left is not given again at once. */
  #cursor = 0
  /** Made, or made sure of, by this control plane. */
  #isReady = false
  #isRecorded = false

  constructor(options: InstanceNetworksOptions) {
    this.#options = options
    const digest = createHash('sha256').update(options.homeId).digest()
    const id = digest.toString('hex').slice(0, 6)
    this.#prefix = `fw${id}`
    this.#table = `fairway_${id}`
    this.#metric = String(1_000_000 + digest.readUIntBE(0, 3))
  }

  /** Tried out once; a refusal is looked at again after a while. */
  ability(): Promise<NetworkAbility> {
    const now = this.#options.clock.monotonicMs()
    if (this.#ability === undefined || now >= this.#askAgainAt) {
      this.#askAgainAt = now + askAgainMs
      this.#ability = this.#tryOut()
    }
    return this.#ability
  }

  async #tryOut(): Promise<NetworkAbility> {
    const answer = await probeNetworks(this.#options.uid ?? process.getuid?.() ?? -1)
    if (answer.kind === 'able') this.#askAgainAt = Infinity
    return answer
  }

  linkOf(address: string): string {
    return linkName(this.#prefix, address)
  }

  /**
   * An address that is in none of `taken`, which are those of this home's instances.
   * @throws FairwayError PORT_TAKEN when the range is used up, MACHINE_UNFIT without ability or a free range
   */
  async choose(taken: ReadonlySet<string>): Promise<string> {
    const known = taken.size > 0 ? this.#range : undefined
    const range = known ?? (await this.#queue.run(shared, () => this.#rangeBeside(taken)))
    const { first, last } = pairsIn(range)
    const count = last - first + 1
    for (let step = 0; step < count; step += 1) {
      const address = instanceAddress(range, first + ((this.#cursor + step) % count))
      if (taken.has(address)) continue
      this.#cursor = (this.#cursor + step + 1) % count
      return address
    }
    throw new FairwayError('PORT_TAKEN', `Every address of ${formatAddressRange(range)} is taken`, {
      hint: 'Widen `network:` in HOME/config.yaml.',
    })
  }

  /** It may be another one than before only while nobody lives in it. */
  async #rangeBeside(taken: ReadonlySet<string>): Promise<AddressRange> {
    if (this.#range !== undefined && (taken.size > 0 || this.#isReady)) return this.#range
    const { range: configured } = this.#options
    const known = parseAddressRange((await this.#readState())?.range ?? '')
    if (known !== undefined && taken.size > 0 && configured === undefined) return (this.#range = known)
    const { ip } = await this.#tools()
    const { stdout } = await execOk([ip, '-4', 'route', 'show', 'table', 'all'], { env: {}, deadlineMs })
    const used = parseRoutes(stdout, { prefix: this.#prefix, metric: this.#metric })
    const chosen = this.#chooseRange(configured, known, used)
    this.#range = chosen
    return chosen
  }

  #chooseRange(
    configured: AddressRange | undefined,
    known: AddressRange | undefined,
    used: readonly AddressRange[],
  ): AddressRange {
    if (configured !== undefined) {
      const other = used.find((one) => overlap(one, configured))
      if (other !== undefined && this.#range === undefined) {
        const message = `\`network: ${formatAddressRange(configured)}\` of HOME/config.yaml overlaps a route of this machine to ${formatAddressRange(other)}`
        this.#options.warn(`${message}: some of it will not be reached.`)
      }
      return configured
    }
    if (known !== undefined && !used.some((other) => overlap(other, known))) return known
    const free = chooseRange(this.#options.homeId, used)
    if (free !== undefined) return free
    throw new FairwayError('MACHINE_UNFIT', 'The routes of this machine take every private range', {
      hint: 'Name one that instances may have in HOME/config.yaml: `network: 10.83.16.0/20`.',
    })
  }

  /**
   * Furnishes the namespace a process was started in. Doing it again, for another process, is a success.
   * @param live addresses of all instances of this home that have one, this one among them
   * @throws FairwayError COMMAND_FAILED, COMMAND_TIMEOUT, MACHINE_UNFIT
   */
  async connect(pid: number, wish: NetworkWish, live: ReadonlySet<string>): Promise<void> {
    const tools = await this.#tools()
    await this.#queue.run(shared, () => this.#prepare(live))
    await this.#untilApart(pid)
    const link = this.linkOf(wish.address)
    await this.#removeLink(link, tools)
    await execOk([tools.ip, '-batch', '-'], { stdin: linkBatch(link, wish.address, pid), env: {}, deadlineMs })
    await writeFile(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, '1')
    const rules = instanceRules({ ...wish, nameservers: await this.#nameservers() })
    const within: Argv = [tools.nsenter, `--net=/proc/${pid}/ns/net`, '--']
    const words = [tools.ip, tools.nft, instanceBatch(wish.address), rules]
    const { exitCode, stderr } = await exec([...within, '/bin/sh', '-c', furnish, 'sh', ...words], {
      env: {},
      deadlineMs,
    })
    if (exitCode === 0) return
    throw new FairwayError('COMMAND_FAILED', `\`ip\` or \`nft\` refused what the namespace of ${link} is to have`, {
      details: lastLines(stderr, 20),
    })
  }

  async #untilApart(pid: number): Promise<void> {
    const { clock } = this.#options
    const ours = await readlink('/proc/self/ns/net')
    const deadline = clock.monotonicMs() + unsharedWithinMs
    while ((await readlink(`/proc/${pid}/ns/net`)) === ours) {
      if (clock.monotonicMs() > deadline) {
        throw new FairwayError('COMMAND_TIMEOUT', `Process ${pid} did not get a network namespace`)
      }
      await clock.sleep(1)
    }
  }

  async #nameservers() {
    const [own = '', upstream] = await Promise.all(
      ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'].map((path) =>
        readFile(path, 'utf8').catch(() => undefined),
      ),
    )
    return planResolver(own, upstream)
  }

  /** Its end is gone with its namespace; only a moment after the last process, so that it is made certain here. */
  async disconnect(address: string): Promise<void> {
    const answer = await this.ability()
    if (answer.kind === 'able') await this.#removeLink(this.linkOf(address), answer.tools)
  }

  /**
   * Removes links that are no instance's, makes good what the instances share where somebody took it away, and removes it
   * with the last of them.
   * @param live addresses of all instances of this home that have one, asked for once nobody else is at it
   */
  async tend(live: () => Promise<ReadonlySet<string>>, { signal }: Abortable = {}): Promise<void> {
    await this.#queue.run(shared, async () => {
      if (!this.#isRecorded && (await this.#readState())?.isPrepared !== true) return
      const answer = await this.ability()
      if (answer.kind === 'unable') return
      signal?.throwIfAborted()
      const addresses = await live()
      const wanted = new Set([...addresses].map((address) => this.linkOf(address)))
      for (const link of await readdir('/proc/sys/net/ipv4/conf')) {
        if (link.startsWith(`${this.#prefix}-`) && !wanted.has(link)) await this.#removeLink(link, answer.tools)
      }
      if (addresses.size === 0) await this.#dismantle(answer.tools)
      else if (!this.#isReady || !(await this.#stands(answer.tools))) await this.#build(answer.tools, addresses)
      else await this.#pass(answer.tools)
    })
  }

  /** Removes what the instances share if none is left: what `tend` would come to, without its look at everything. */
  async leave(live: () => Promise<ReadonlySet<string>>): Promise<void> {
    await this.#queue.run(shared, async () => {
      if ((await live()).size === 0) await this.#dismantle(await this.#tools())
    })
  }

  async #prepare(live: ReadonlySet<string>): Promise<void> {
    if (!this.#isReady) await this.#build(await this.#tools(), live)
  }

  /** Recorded first, so that whoever comes after a kill knows that there may be something to remove. */
  async #build({ nft, ...tools }: NetworkTools, live: ReadonlySet<string>): Promise<void> {
    const range = this.#range ?? (await this.#rangeBeside(live))
    await this.#saveState({ range: formatAddressRange(range), isPrepared: true })
    // An address without an instance is nobody's: asking it must not leave the machine by the default route.
    await this.#giveRoutes(tools.ip)
    await execOk([tools.ip, 'route', 'replace', 'unreachable', formatAddressRange(range), 'metric', this.#metric], {
      env: {},
      deadlineMs,
    })
    // Of a range that was configured before.
    const others = [...live].filter((address) => {
      const own = parseAddressRange(address)
      return own !== undefined && !isWithin(own, range)
    })
    const sources = [formatAddressRange(range), ...others.map((address) => `${machineEnd(address)}/31`)]
    const rules = machineRules({ table: this.#table, prefix: this.#prefix, sources })
    await execOk([nft, '-f', '-'], { stdin: rules, env: {}, deadlineMs })
    const forwarding = '/proc/sys/net/ipv4/ip_forward'
    if ((await readFile(forwarding, 'utf8')).trim() !== '1') await writeFile(forwarding, '1')
    await this.#pass({ nft, ...tools })
    this.#isReady = true
  }

  /** Those of ranges before, too: they are known by their metric. */
  async #giveRoutes(ip: string): Promise<void> {
    const { stdout } = await execOk([ip, '-4', 'route', 'show', 'type', 'unreachable'], { env: {}, deadlineMs })
    for (const line of stdout.split('\n')) {
      const [, range, metric] = /^unreachable (\S+) .*\bmetric (\d+)/.exec(line) ?? []
      if (range === undefined || metric !== this.#metric) continue
      await exec([ip, 'route', 'delete', 'unreachable', range, 'metric', metric], { env: {}, deadlineMs })
    }
  }

  /** `sysctl --system` may have set forwarding back, and a firewall's reload flushed the table. */
  async #stands({ nft }: NetworkTools): Promise<boolean> {
    const forwards = (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() === '1'
    const { exitCode } = await exec([nft, 'list', 'chain', 'ip', this.#table, 'outward'], { env: {}, deadlineMs })
    return forwards && exitCode === 0
  }

  /** Lets what is ours through chains of others that drop what they do not know. */
  async #pass({ nft }: NetworkTools): Promise<void> {
    for (const chain of await this.#strictChains(nft)) {
      const { stdout } = await execOk([nft, '-a', 'list', 'chain', chain.family, chain.table, chain.name], {
        env: {},
        deadlineMs,
      })
      if (ownHandles(stdout, this.#table).length > 0) continue
      const stdin = acceptRules(chain, { prefix: this.#prefix, comment: this.#table })
      await execOk([nft, '-f', '-'], { stdin, env: {}, deadlineMs })
    }
  }

  async #strictChains(nft: string) {
    const { stdout } = await execOk([nft, '-j', 'list', 'chains'], { env: {}, deadlineMs })
    return strictChains(stdout, this.#table)
  }

  async #dismantle({ nft, ip }: NetworkTools): Promise<void> {
    for (const { family, table, name } of await this.#strictChains(nft)) {
      const { stdout } = await execOk([nft, '-a', 'list', 'chain', family, table, name], { env: {}, deadlineMs })
      const lines = ownHandles(stdout, this.#table).map(
        (handle) => `delete rule ${family} ${table} ${name} handle ${handle}\n`,
      )
      if (lines.length > 0) await execOk([nft, '-f', '-'], { stdin: lines.join(''), env: {}, deadlineMs })
    }
    // Naming it makes it, so that deleting what is gone is a success.
    const stdin = `table ip ${this.#table}\ndelete table ip ${this.#table}\n`
    await execOk([nft, '-f', '-'], { stdin, env: {}, deadlineMs })
    await this.#giveRoutes(ip)
    this.#isReady = false
    const known = await this.#readState()
    if (known !== undefined) await this.#saveState({ ...known, isPrepared: false })
  }

  async #removeLink(link: string, { ip }: NetworkTools): Promise<void> {
    const isThere = async () => (await readdir('/proc/sys/net/ipv4/conf')).includes(link)
    if (!(await isThere())) return
    const { exitCode, stderr } = await exec([ip, 'link', 'delete', link], { env: {}, deadlineMs })
    if (exitCode === 0 || !(await isThere())) return // the kernel was faster
    throw new FairwayError('COMMAND_FAILED', `The link ${link} cannot be removed: ${stderr.trim()}`)
  }

  async #tools(): Promise<NetworkTools> {
    const answer = await this.ability()
    if (answer.kind === 'able') return answer.tools
    throw new FairwayError('MACHINE_UNFIT', `No network of its own can be made here: ${answer.why}`, {
      hint: answer.hint,
    })
  }

  /** Of a state that cannot be read, that something may be there is all that is known. */
  async #readState(): Promise<z.infer<typeof stateSchema> | undefined> {
    try {
      return stateSchema.parse(JSON.parse(await readFile(this.#options.statePath, 'utf8')))
    } catch (error) {
      return errnoOf(error) === 'ENOENT' ? undefined : { range: '', isPrepared: true }
    }
  }

  async #saveState(state: z.infer<typeof stateSchema>): Promise<void> {
    await makeFolder(dirname(this.#options.statePath), 0o755)
    await writeFileAtomic(this.#options.statePath, JSON.stringify(state), { mode: 0o600 })
    this.#isRecorded = state.isPrepared
  }
}
