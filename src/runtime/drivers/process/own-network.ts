import { readdir, readFile } from 'node:fs/promises'
import { FairwayError } from '../../../base/error.ts'
import type { OwnNetwork } from '../../runtime.ts'
import { parseListeningSockets, reaches } from '../../sockets.ts'
import type { ProcessContext } from './context.ts'
import { folderPaths, parseFolderName, parseRecord } from './instance-folder.ts'

/** Furnishes the namespace the shim waits in. @throws FairwayError START_FAILED */
export async function connectNetwork(pid: number, wish: OwnNetwork, context: ProcessContext): Promise<void> {
  const { networks } = context
  if (networks === undefined) throw new FairwayError('START_FAILED', 'This runtime makes no networks')
  const { host: address, ports } = wish
  const machinePorts = await portsOfMachine(wish, context)
  try {
    await networks.connect(pid, { address, ports, machinePorts }, await networkAddresses(context))
  } catch (error) {
    if (!(error instanceof FairwayError)) throw error
    const { message, details, hint } = error
    throw new FairwayError('START_FAILED', `Its network could not be made: ${message}`, {
      details,
      hint: hint ?? 'Share the machine’s instead with `network: host`: then one instance at a time.',
      cause: error,
    })
  }
}

/** The instance's own ports stay its own, whatever its values name. */
async function portsOfMachine({ ports, machinePorts }: OwnNetwork, { procRoot }: ProcessContext): Promise<number[]> {
  const named = machinePorts.filter(({ port }) => !ports.includes(port))
  if (named.every(({ certain }) => certain)) return named.map(({ port }) => port)
  const table = await readFile(`${procRoot}/self/net/tcp`, 'utf8')
  const table6 = await readFile(`${procRoot}/self/net/tcp6`, 'utf8').catch(() => '')
  const listening = parseListeningSockets(`${table}\n${table6}`).map(({ address }) => address)
  return named
    .filter(({ port, certain }) => certain || reaches(listening, { host: '127.0.0.1', port }))
    .map(({ port }) => port)
}

/** Of every instance there is a record of, running or about to: what is theirs is not taken away. */
export async function networkAddresses({ runFolder, bootId }: ProcessContext): Promise<Set<string>> {
  const addresses = new Set<string>()
  for (const name of await readdir(runFolder)) {
    const id = parseFolderName(name)
    if (id === undefined) continue
    const record = parseRecord(await readFile(folderPaths(runFolder, id).record, 'utf8').catch(() => ''))
    if (record?.bootId === bootId && record.network !== undefined) addresses.add(record.network.host)
  }
  return addresses
}
