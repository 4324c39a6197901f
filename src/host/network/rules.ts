import { machineEnd } from './pairs.ts'

/** What nft is told by its standard input, as pure text. Numbers and addresses are ours; no name of a user gets here. */

export interface MachineRules {
  readonly table: string
  /** Of the links of this home. */
  readonly prefix: string
  /** Ranges and addresses of its instances. */
  readonly sources: readonly string[]
}

/**
 * The machine's side, one table for all instances of a home: it names links by their prefix, so that no instance adds to it
 * or takes away from it. Loading it again replaces it in one transaction.
 * - `guard`: since our links may lead to the loopback (`route_localnet`), nobody may name it as a destination himself;
 * - `inward`: what an instance sends to its end of the link, the even address, is for the machine's loopback;
 * - `arrival`: a database that trusts 127.0.0.1 alone sees its caller there;
 * - `outward`: the world sees the machine's own address;
 * - `passage`: nobody comes in by way of the machine, be it another instance or a neighbour in its network.
 */
export function machineRules({ table, prefix, sources }: MachineRules): string {
  const links = `"${prefix}-*"`
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname ${links} ip daddr 127.0.0.0/8 drop
  }
  chain inward {
    type nat hook prerouting priority dstnat; policy accept;
    iifname ${links} ip daddr { ${sources.join(', ')} } ip daddr & 0.0.0.1 == 0.0.0.0 meta l4proto { tcp, udp } dnat to 127.0.0.1
  }
  chain arrival {
    type nat hook input priority 100; policy accept;
    iifname ${links} ip daddr 127.0.0.1 snat to 127.0.0.1
  }
  chain outward {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { ${sources.join(', ')} } oifname != ${links} masquerade
  }
  chain passage {
    type filter hook forward priority -1; policy accept;
    oifname ${links} ct state new drop
  }
}
`
}

export interface InstanceRules {
  readonly address: string
  /** Ports the program listens on. */
  readonly ports: readonly number[]
  /** Ports of the machine's loopback. */
  readonly machinePorts: readonly number[]
  readonly nameservers: readonly NameserverDetour[]
}

/** A nameserver on the loopback, and where its questions go instead; undefined: the machine's own. */
export interface NameserverDetour {
  readonly from: string
  readonly to: string | undefined
}

/**
 * Within the instance's namespace. What comes in goes to 127.0.0.1, which a program that listens on all addresses has as
 * well as one that listens there alone.
 */
export function instanceRules({ address, ports, machinePorts, nameservers }: InstanceRules): string {
  const end = machineEnd(address)
  const out = [
    ...(machinePorts.length === 0
      ? []
      : [`ip daddr 127.0.0.0/8 meta l4proto { tcp, udp } th dport { ${machinePorts.join(', ')} } dnat to ${end}`]),
    ...nameservers.map(({ from, to }) => `ip daddr ${from} meta l4proto { tcp, udp } th dport 53 dnat to ${to ?? end}`),
  ]
  const inward = ports.length === 0 ? [] : [`iifname "eth0" tcp dport { ${ports.join(', ')} } dnat to 127.0.0.1`]
  return `table ip fairway {
  chain inward {
    type nat hook prerouting priority dstnat; policy accept;
${inward.map((line) => `    ${line}\n`).join('')}  }
  chain outward {
    type nat hook output priority -100; policy accept;
${out.map((line) => `    ${line}\n`).join('')}  }
  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" ip saddr 127.0.0.0/8 masquerade
  }
}
`
}

/** For `ip -batch`: the machine's end of a link whose other end begins in the namespace of a process. */
export function linkBatch(link: string, address: string, pid: number): string {
  return [
    `link add ${link} type veth peer name eth0 netns ${pid}`,
    `address add ${machineEnd(address)}/31 dev ${link}`,
    `link set ${link} up`,
    '',
  ].join('\n')
}

/** For `ip -batch` within the namespace. */
export function instanceBatch(address: string): string {
  return [
    'link set lo up',
    `address add ${address}/31 dev eth0`,
    'link set eth0 up',
    `route add default via ${machineEnd(address)}`,
    '',
  ].join('\n')
}

interface ChainEntry {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook?: string
  readonly policy?: string
}

/** A chain of somebody else's that would drop what is ours: a firewall's, or Docker's. */
export interface StrictChain {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook: 'forward' | 'input'
}

/**
 * From `nft -j list chains`. An accept in one table does not help against a drop in another, so ours is put in theirs;
 * Docker empties its own chains, but for DOCKER-USER.
 */
export function strictChains(json: string, ownTable: string): StrictChain[] {
  const { nftables = [] } = JSON.parse(json) as { nftables?: { chain?: ChainEntry }[] }
  const chains = nftables.flatMap(({ chain }) => (chain === undefined ? [] : [chain]))
  return chains.flatMap(({ family, table, name, hook, policy }): StrictChain[] => {
    if (policy !== 'drop' || (hook !== 'forward' && hook !== 'input')) return []
    if ((family !== 'ip' && family !== 'inet') || table === ownTable) return []
    const docker = hook === 'forward' && chains.some((one) => one.table === table && one.name === 'DOCKER-USER')
    return [{ family, table, name: docker ? 'DOCKER-USER' : name, hook }]
  })
}

/** Plain enough that iptables, whose tables these may be, can still read them. */
export function acceptRules(
  { family, table, name, hook }: StrictChain,
  { prefix, comment }: { prefix: string; comment: string },
): string {
  const insert = (match: string) =>
    `insert rule ${family} ${table} ${name} ${match} counter accept comment "${comment}"\n`
  const links = `"${prefix}-*"`
  return hook === 'input'
    ? insert(`iifname ${links} ip daddr 127.0.0.1`)
    : insert(`iifname ${links}`) + insert(`oifname ${links}`)
}

/** The handles of rules with this comment, from `nft -a list chain`. */
export function ownHandles(listing: string, comment: string): number[] {
  return listing.split('\n').flatMap((line) => {
    if (!line.includes(`comment "${comment}"`)) return []
    const handle = /# handle (\d+)$/.exec(line.trim())?.[1]
    return handle === undefined ? [] : [Number(handle)]
  })
}
