import { access, constants, readFile } from 'node:fs/promises'
import { exec } from '../../base/exec.ts'
import { FairwayError } from '../../base/error.ts'
import { instanceRules, machineRules } from './rules.ts'

/** Whether instances can have a network of their own here; where not, why, and what would help. */
export type NetworkAbility =
  | { readonly kind: 'able'; readonly tools: NetworkTools }
  | { readonly kind: 'unable'; readonly why: string; readonly hint: string }

export interface NetworkTools {
  readonly ip: string
  readonly nft: string
  readonly nsenter: string
  readonly unshare: string
}

const packages = { ip: 'iproute2', nft: 'nftables', nsenter: 'util-linux', unshare: 'util-linux' } as const
const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin']
const forwarding = '/proc/sys/net/ipv4/ip_forward'

/** Tries it out, in a namespace that is gone with the trial; the machine's own network is not touched. */
export async function probeNetworks(uid: number, toolFolders: readonly string[] = folders): Promise<NetworkAbility> {
  if (uid !== 0) {
    return unable(
      'only root may make network namespaces',
      'Run Fairway as root: its home is then /var/lib/fairway, and its instances still have users of their own.',
    )
  }
  const found = new Map<string, string>()
  for (const name of Object.keys(packages)) {
    for (const folder of toolFolders) {
      const path = `${folder}/${name}`
      if (!found.has(name) && (await mayUse(path, constants.X_OK))) found.set(name, path)
    }
  }
  const missing = Object.entries(packages).filter(([name]) => !found.has(name))
  if (missing.length > 0) {
    const wanted = [...new Set(missing.map(([, name]) => name))].join(' ')
    return unable(
      `${missing.map(([name]) => `\`${name}\``).join(' and ')} is missing`,
      `sudo apt-get install ${wanted}`,
    )
  }
  const tool = (name: keyof typeof packages) => found.get(name) ?? ''
  const tools = { ip: tool('ip'), nft: tool('nft'), nsenter: tool('nsenter'), unshare: tool('unshare') }
  const isOn = (await readFile(forwarding, 'utf8').catch(() => '')).trim() === '1'
  if (!isOn && !(await mayUse(forwarding, constants.W_OK))) {
    return unable(
      `${forwarding} is 0 and cannot be written`,
      'Turn it on outside of this container: sysctl net.ipv4.ip_forward=1',
    )
  }
  const sample = instanceRules({ address: '10.0.0.1', ports: [80], machinePorts: [81], nameservers: [] })
  const shared = machineRules({ table: 'fairway_trial', prefix: 'fairway', sources: ['10.0.0.0/28'] })
  const trials = [
    { argv: [tools.ip, '-batch', '-'], stdin: 'link add fairway0 type veth peer name fairway1\n' },
    { argv: [tools.nft, '-f', '-'], stdin: shared + sample },
    { argv: [tools.nft, '-j', 'list', 'chains'], stdin: '' },
  ] as const
  for (const { argv, stdin } of trials) {
    const why = await tryOut([tools.unshare, '--net', '--', ...argv], stdin)
    if (why !== undefined) {
      return unable(
        `\`${argv[0]}\` may not do it here (${why})`,
        'In a container it takes the capabilities NET_ADMIN and SYS_ADMIN, and a kernel with veth and nf_tables.',
      )
    }
  }
  return { kind: 'able', tools }
}

function unable(why: string, hint: string): NetworkAbility {
  return { kind: 'unable', why, hint }
}

async function mayUse(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

async function tryOut(argv: readonly [string, ...string[]], stdin: string): Promise<string | undefined> {
  try {
    const { exitCode, stderr } = await exec(argv, { stdin, env: {}, deadlineMs: 5000 })
    return exitCode === 0 ? undefined : (stderr.trim().split('\n')[0] ?? 'no reason given')
  } catch (error) {
    if (error instanceof FairwayError) return error.message
    throw error
  }
}
