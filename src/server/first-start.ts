import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { readHomeConfig } from '../config/index.ts'
import { probePort, refuseTakenBinds } from '../gateway/index.ts'
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
    if (api.port !== 0 && (await probePort(api)) === 'EADDRINUSE') throw apiTaken(api)
  } catch (error) {
    if (!isUsed()) throw error
  }
}

export function apiTaken(address: Address): FairwayError {
  return new FairwayError('PORT_TAKEN', `${formatAddress(address)}, the API's address, is taken`, {
    hint: 'Another home’s control plane? Give this one another: FAIRWAY_API=127.0.0.1:0, or `api:` in HOME/config.yaml (ss -ltnp shows who has it).',
  })
}
