import { formatBytes } from '../report/describe.ts'

/** What was found out about one part: a version, or what stands in the way. */
export type Found = { readonly version: string } | { readonly problem: string; readonly hint?: string | undefined }

export interface AddressFacts {
  readonly what: 'API' | 'gateway'
  /** '127.0.0.1:8470', as configured; port 0 = any that is free. */
  readonly address: string
  readonly state: 'any' | 'free' | 'ours' | 'taken' | 'refused'
  /** 'nginx (pid 712)' */
  readonly holder?: string | undefined
  /** EACCES, EADDRNOTAVAIL … */
  readonly errno?: string | undefined
}

export interface HomeFacts {
  readonly path: string
  readonly exists: boolean
  /** Of the folder itself, or of the nearest one above that is there. */
  readonly isWritable: boolean
  readonly freeBytes: number
  readonly freeInodes: number
  /** Permission bits, where it exists. */
  readonly mode?: number | undefined
  readonly isOurs: boolean
  /** Why no socket can stand in it. */
  readonly pathProblem?: { readonly problem: string; readonly hint?: string | undefined } | undefined
  /** As root: the first folder on the way to it that an instance's user may not enter. */
  readonly blocked?: string | undefined
  readonly configProblem?: { readonly problem: string; readonly hint?: string | undefined } | undefined
}

/** Everything `fairway doctor` looks at, as data: what is made of it is decided below. */
export interface MachineFacts {
  readonly platform: string
  readonly arch: string
  readonly isRoot: boolean
  readonly hasProc: boolean
  readonly node: { readonly version: string; readonly wanted: string }
  /** Locked packages that are missing or of another version: 'zod 4.6.7'. */
  readonly missingPackages: readonly string[]
  readonly go: Found
  readonly haproxy: Found
  readonly git: Found
  /** Of util-linux. */
  readonly missingTools: readonly string[]
  readonly cgroups: {
    readonly kind: 'v2' | 'v1' | 'none'
    readonly memory: boolean
    readonly cpu: boolean
    readonly why?: string | undefined
  }
  /** Of instances' own; empty where they can be had. */
  readonly networks: { readonly problem?: string; readonly hint?: string }
  /** Of this process: instances inherit it. */
  readonly openFiles: number
  readonly home: HomeFacts
  readonly addresses: readonly AddressFacts[]
  readonly ports: {
    readonly first: number
    readonly last: number
    readonly inUse: number
    /** Where the kernel takes ports for outgoing connections. */
    readonly ephemeral: { readonly first: number; readonly last: number } | undefined
  }
  readonly systemd: { readonly runs: boolean; readonly isInstalled: boolean }
  readonly clock: { readonly now: number; readonly builtAt: number; readonly timeZone: string }
  readonly server: {
    readonly version?: string | undefined
    readonly pid?: number | undefined
    readonly own: string
    readonly problem?: string | undefined
  }
}

export interface Finding {
  readonly name: string
  /** `missing` stands in the way of `fairway up`; `attention` costs something, which is said. */
  readonly state: 'good' | 'attention' | 'missing'
  readonly found: string
  readonly hint?: string
}

const leastFreeBytes = 1024 ** 3
const leastFreeInodes = 50_000
const leastOpenFiles = 4096
const leastPorts = 100

/** The same facts always give the same findings, in the order of what to mend first. */
export function findingsOf(facts: MachineFacts): Finding[] {
  return [
    machine(facts),
    node(facts),
    go(facts),
    part('HAProxy', facts.haproxy),
    tools(facts),
    git(facts),
    cgroups(facts),
    networks(facts),
    openFiles(facts),
    home(facts),
    space(facts),
    ...facts.addresses.map(address),
    ports(facts),
    boot(facts),
    clock(facts),
    server(facts),
  ]
}

const good = (name: string, found: string): Finding => ({ name, state: 'good', found })
const attention = (name: string, found: string, hint: string): Finding => ({ name, state: 'attention', found, hint })
const missing = (name: string, found: string, hint: string | undefined): Finding => ({
  name,
  state: 'missing',
  found,
  ...(hint === undefined ? {} : { hint }),
})

function machine({ platform, arch, hasProc }: MachineFacts): Finding {
  const found = `${platform} ${arch}`
  if (platform !== 'linux') return missing('machine', found, 'Fairway runs services on Linux.')
  if (!hasProc) return missing('machine', `${found}, no /proc`, 'Mount it: mount -t proc proc /proc')
  return good('machine', `${found}, /proc`)
}

function node({ node: { version, wanted }, missingPackages }: MachineFacts): Finding {
  const setUp = 'Run scripts/set-up.sh beside the launcher: it brings Node and the packages of package-lock.json.'
  if (missingPackages.length > 0) return missing('Node', `${version}; lacks ${missingPackages.join(', ')}`, setUp)
  if (version !== wanted) return attention('Node', `${version}, not the locked ${wanted}`, setUp)
  return good('Node', `${version}, packages complete`)
}

/** None is needed here: the one a project asks for is fetched. */
function go({ go: found }: MachineFacts): Finding {
  if ('version' in found) return good('Go', found.version)
  return attention(
    'Go',
    found.problem,
    'One is fetched with the first build, from GOPROXY or `modules: { proxy }` in config.yaml of the home. Or install it: https://go.dev/doc/install',
  )
}

function part(name: string, found: Found): Finding {
  return 'version' in found ? good(name, found.version) : missing(name, found.problem, found.hint)
}

function tools({ missingTools }: MachineFacts): Finding {
  if (missingTools.length === 0) return good('util-linux', 'setsid, setpriv, fallocate')
  return missing('util-linux', `lacks ${missingTools.join(', ')}`, 'sudo apt-get install util-linux')
}

function git({ git: found }: MachineFacts): Finding {
  if ('version' in found) return good('git', found.version)
  return attention(
    'git',
    found.problem,
    'Releases are then made without a commit, and exposed secrets are not noticed.',
  )
}

function cgroups({ cgroups: { kind, memory, cpu, why } }: MachineFacts): Finding {
  const held = [...(memory ? ['memory'] : []), ...(cpu ? ['CPU'] : [])]
  if (kind !== 'none' && held.length === 2) return good('limits', `memory and CPU, by cgroup ${kind}`)
  if (held.length === 1) {
    const other = memory ? 'CPU' : 'memory'
    return attention('limits', `${held.join()} alone, by cgroup ${kind}`, `\`limits:\` of ${other} are not held here.`)
  }
  return attention(
    'limits',
    `none: no control group lets us${why === undefined ? '' : ` (${why})`}`,
    '`limits:` are not held, and what an instance forked is found by its session. Run the control plane as root, or by `fairway server install` where systemd is.',
  )
}

function networks({ networks: { problem, hint } }: MachineFacts): Finding {
  if (problem === undefined) return good('networks', 'an instance may have its own: `listen: { port }`, `ports`')
  return attention(
    'networks',
    `no instance can have its own: ${problem}`,
    `A service with a fixed port has one instance and a gap when it is replaced. ${hint ?? ''}`.trim(),
  )
}

function openFiles({ openFiles: limit }: MachineFacts): Finding {
  const found = Number.isFinite(limit) ? String(limit) : 'unlimited'
  if (limit >= leastOpenFiles) return good('open files', found)
  return attention('open files', found, `Each connection takes one: ulimit -n ${leastOpenFiles * 4} before the start.`)
}

function home({ home: facts, isRoot }: MachineFacts): Finding {
  const { path, exists, isWritable, mode, isOurs, pathProblem, blocked, configProblem } = facts
  if (pathProblem !== undefined) return missing('home', pathProblem.problem, pathProblem.hint)
  if (!isWritable || !isOurs) {
    return missing(
      'home',
      `${path} ${isOurs ? 'cannot be written' : 'belongs to another user'}`,
      'Choose another with --home DIR or FAIRWAY_HOME, or give this user the folder.',
    )
  }
  if (configProblem !== undefined) return missing('home', configProblem.problem, configProblem.hint)
  if (blocked !== undefined) {
    return missing(
      'home',
      `${path}: instances run as users of their own, who may not pass ${blocked}`,
      `chmod o+x ${blocked}, or another home with --home DIR.`,
    )
  }
  if (mode !== undefined && (mode & 0o022) !== 0) {
    return attention('home', `${path} can be written by others (mode ${mode.toString(8)})`, `chmod go-w ${path}`)
  }
  return good('home', exists ? path : `${path}, made with the first start${isRoot ? '' : ', yours alone'}`)
}

function space({ home: { freeBytes, freeInodes } }: MachineFacts): Finding {
  const found = `${formatBytes(freeBytes)} free`
  if (freeInodes < leastFreeInodes) {
    return attention('space', `${found}, ${freeInodes} files more`, 'df -i shows who has them.')
  }
  if (freeBytes >= leastFreeBytes) return good('space', found)
  return attention('space', found, 'Builds and ten releases of each service want about a gigabyte; df -h')
}

function address({ what, address: text, state, holder, errno }: AddressFacts): Finding {
  const variable = what === 'API' ? 'FAIRWAY_API' : 'FAIRWAY_GATEWAY'
  switch (state) {
    case 'any':
      return good(what, 'any port that is free')
    case 'free':
      return good(what, `${text} is free`)
    case 'ours':
      return good(what, `${text}, ours`)
    case 'taken':
      return missing(
        what,
        `${text} is taken${holder === undefined ? '' : ` by ${holder}`}`,
        `${variable}=127.0.0.1:0 takes any free port; ss -ltnp shows who has this one.`,
      )
    case 'refused':
      return missing(
        what,
        `${text} cannot be listened on (${errno ?? 'refused'})`,
        errno === 'EACCES'
          ? 'Ports below 1024 need root, or: sudo sysctl net.ipv4.ip_unprivileged_port_start=80'
          : `Is it an address of this machine? See ${variable} and HOME/config.yaml.`,
      )
  }
}

function ports({ ports: { first, last, inUse, ephemeral } }: MachineFacts): Finding {
  const found = `${first}-${last}, ${inUse} in use`
  if (last - first + 1 - inUse < leastPorts) {
    return attention(
      'ports',
      found,
      `Fewer than ${leastPorts} are left for instances: widen \`ports:\` in HOME/config.yaml.`,
    )
  }
  if (ephemeral !== undefined && ephemeral.first <= last && ephemeral.last >= first) {
    return attention(
      'ports',
      `${found}; outgoing connections take ${ephemeral.first}-${ephemeral.last}`,
      'One may take an instance’s port before it starts (the next is then used). Choose `ports:` outside of it.',
    )
  }
  return good('ports', found)
}

function boot({ systemd: { runs, isInstalled } }: MachineFacts): Finding {
  if (runs && isInstalled) return good('boot', 'systemd starts the control plane')
  if (runs) {
    return attention('boot', 'the control plane does not start at boot', 'fairway server install')
  }
  return attention(
    'boot',
    'no systemd: nobody restarts HAProxy or an instance while Fairway is away',
    '`fairway server install` prints the line for crontab that starts it at boot.',
  )
}

function clock({ clock: { now, builtAt, timeZone } }: MachineFacts): Finding {
  const found = `${new Date(now).toISOString().slice(0, 19)}Z, ${timeZone}`
  if (now >= builtAt - 24 * 3600 * 1000) return good('clock', found)
  return attention('clock', `${found}: before this Fairway was installed`, 'Set it; timedatectl set-ntp true keeps it.')
}

function server({ server: { version, pid, own, problem } }: MachineFacts): Finding {
  if (problem !== undefined) return attention('control plane', problem, '`fairway server status` says more.')
  if (version === undefined) return good('control plane', 'not running; `fairway up` starts it')
  if (version === own) return good('control plane', `${version}, pid ${pid ?? '?'}`)
  return attention(
    'control plane',
    `${version}, this command is ${own}`,
    'The next command that changes something starts an older one anew; use the newer Fairway otherwise.',
  )
}
