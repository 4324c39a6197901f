import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { readHomeConfig } from '../config/index.ts'
import { portHolder, probePort, refuseTakenBinds } from '../gateway/index.ts'
import { type Address, formatAddress } from '../host/index.ts'

/**
 * A home that nobody used yet is not begun where it could not serve. Where another control plane begins it at this very
 * moment, the ports are that one's, and so is the word.
 * @throws FairwayError PORT_TAKEN, MACHINE_UNFIT, HOME_CONFIG_INVALID
 */
export async function refuseTakenPorts(
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const isUsed = () => existsSync(join(home, 'state.db'))
  if (isUsed()) return
  const { api, gateway } = await readHomeConfig(home, environment)
  try {
    if (gateway.port !== 0) await refuseTakenBinds([gateway], [])
    if (api.port !== 0 && (await probePort(api)) === 'EADDRINUSE') throw await apiTaken(api)
  } catch (error) {
    if (!isUsed()) throw error
  }
}

export async function apiTaken(address: Address): Promise<FairwayError> {
  const holder = await portHolder(address.port)
  const by = holder === undefined ? '' : ` by ${holder.command} (pid ${holder.pid})`
  return new FairwayError('PORT_TAKEN', `${formatAddress(address)}, the API's address, is taken${by}`, {
    hint: 'Give this home another: FAIRWAY_API=127.0.0.1:0, or `api:` in HOME/config.yaml; `fairway doctor` looks at the gateway’s as well.',
  })
}
