import { createServer } from 'node:net'
import { FairwayError } from '../base/error.ts'
import { type Address, formatAddress } from './host.ts'

/** Where the next search begins: a port just left is not given again at once, so a late client meets nobody else there. */
let cursor = 0

/**
 * A free port of this machine that is in none of `taken`; ports held by others are passed over.
 * @throws FairwayError PORT_TAKEN when the whole range is in use
 */
export async function choosePort(
  { first, last }: { readonly first: number; readonly last: number },
  taken: ReadonlySet<string>,
): Promise<Address> {
  const count = last - first + 1
  for (let step = 0; step < count; step += 1) {
    const address = { host: '127.0.0.1', port: first + ((cursor + step) % count) }
    if (taken.has(formatAddress(address)) || !(await isFree(address))) continue
    cursor = (cursor + step + 1) % count
    return address
  }
  throw new FairwayError('PORT_TAKEN', `Every port from ${first} to ${last} is taken`, {
    hint: 'Widen `ports:` in HOME/config.yaml, or end what holds them (ss -ltnp).',
  })
}

async function isFree({ host, port }: Address): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  return promise
}
