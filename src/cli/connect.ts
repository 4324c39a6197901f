import { existsSync } from 'node:fs'
import { FairwayError } from '../base/error.ts'
import { apiVersion, version, type VersionAnswer } from '../server/api.ts'
import { Client, isAbsent, isHung } from './client.ts'
import { type CommandContext, serverAddress } from './context.ts'

/**
 * A client whose control plane answers and speaks our version. A command that changes something starts this home's own
 * one in the background where none runs, starts an older one again, and puts another in the place of one that hangs.
 * @param start 'always'; 'if-used': only where the home has a state already; 'never'
 * @throws FairwayError SERVER_UNREACHABLE, SERVER_MISMATCH
 */
export async function connect(context: CommandContext, start: 'always' | 'if-used' | 'never'): Promise<Client> {
  const address = await serverAddress(context)
  const client = new Client(address, context.who)
  const isOwn = address.kind === 'socket'
  const mayStart = isOwn && (start === 'always' || (start === 'if-used' && existsSync(`${context.home}/state.db`)))
  let answer: VersionAnswer
  try {
    answer = await client.json<VersionAnswer>('GET', '/v1/version')
  } catch (error) {
    if (isOwn && isHung(error)) {
      const { describeHung, succeedHung } = await import('./hung.ts')
      if (!mayStart) throw await describeHung(context)
      await succeedHung(context)
      return client
    }
    if (!mayStart || !isAbsent(error)) throw error
    await (await import('./start-server.ts')).startServer(context)
    return client
  }
  if (answer.version === version && answer.api === apiVersion) return client
  if (isOwn && isOlder(answer.version, version)) {
    await (await import('./start-server.ts')).restartServer(context, client)
    return client
  }
  if (answer.api === apiVersion && !isOwn) return client // the same interface: a patch apart is no harm
  throw new FairwayError(
    'SERVER_MISMATCH',
    `The control plane is version ${answer.version} (API ${answer.api}), this command ${version} (API ${apiVersion})`,
    {
      hint: isOlder(version, answer.version)
        ? 'Use the newer Fairway that it came with.'
        : 'Update the control plane there.',
    },
  )
}

/** Numbers compared one by one: '0.9.0' is older than '0.10.0'. */
export function isOlder(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number))
  for (let index = 0; index < 3; index += 1) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
