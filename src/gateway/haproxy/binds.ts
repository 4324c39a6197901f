import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { Address } from '../../host/index.ts'
import { formatAddress } from '../../host/index.ts'
import { pickPort, portHolder, probePort } from './ports.ts'

/** The dying worker of a killed master holds the ports a moment longer. */
const portFreeWithinMs = 1_000

export async function probeUntilFree(address: Address, clock: Clock): Promise<string> {
  const deadline = clock.monotonicMs() + portFreeWithinMs
  for (;;) {
    const answer = await probePort(address)
    if (answer !== 'EADDRINUSE' || clock.monotonicMs() >= deadline) return answer
    await clock.sleep(10)
  }
}

/** @throws FairwayError as freeBinds */
export async function requireFree(bind: Address, clock: Clock): Promise<void> {
  const answer = await probeUntilFree(bind, clock)
  if (answer !== 'free') throw await explainBind(bind, answer)
}

/**
 * @param asked where a bind has port 0 the port was ours to choose, and is chosen anew when somebody has it
 * @returns the binds an HAProxy can be started on
 * @throws FairwayError PORT_TAKEN, MACHINE_UNFIT, HOME_CONFIG_INVALID
 */
export async function freeBinds(
  binds: readonly Address[],
  asked: readonly Address[],
  clock: Clock,
): Promise<Address[]> {
  const free: Address[] = []
  for (const [at, bind] of binds.entries()) {
    const answer = await probeUntilFree(bind, clock)
    const ours = asked[at]?.port === 0 && answer === 'EADDRINUSE'
    if (answer !== 'free' && !ours) throw await explainBind(bind, answer)
    free.push(ours ? { host: bind.host, port: await pickPort(bind.host) } : bind)
  }
  return free
}

/**
 * Binds may be other ones than a running HAProxy has. A reload that cannot have one would make the old worker let go of its
 * own for two seconds before it gives up, so it is not to be tried.
 * @param pids of our HAProxy, which may hold them
 * @throws FairwayError as freeBinds
 */
export async function refuseTakenBinds(binds: readonly Address[], pids: readonly number[]): Promise<void> {
  for (const bind of binds) {
    const answer = await probePort(bind)
    if (answer === 'free') continue
    const holder = answer === 'EADDRINUSE' ? await portHolder(bind.port) : undefined
    if (holder === undefined || !pids.includes(holder.pid)) throw await explainBind(bind, answer)
  }
}

async function explainBind(bind: Address, answer: string): Promise<FairwayError> {
  const where = formatAddress(bind)
  switch (answer) {
    case 'EADDRINUSE': {
      const holder = await portHolder(bind.port)
      return new FairwayError(
        'PORT_TAKEN',
        `${where} is taken${holder === undefined ? '' : ` by ${holder.command} (pid ${holder.pid})`}`,
        {
          hint: 'Free it, or choose another with FAIRWAY_GATEWAY=127.0.0.1:PORT or `gateway:` in the home’s config.yaml; `fairway doctor` looks at the API’s as well.',
        },
      )
    }
    case 'EACCES':
      return new FairwayError('MACHINE_UNFIT', `This user may not listen on ${where}`, {
        hint: 'Ports below 1024 need root, or: sudo sysctl net.ipv4.ip_unprivileged_port_start=80',
      })
    default:
      return new FairwayError('HOME_CONFIG_INVALID', `The gateway cannot listen on ${where} (${answer})`, {
        hint: 'Is it an address of this machine? See `gateway:` in the home’s config.yaml.',
      })
  }
}
