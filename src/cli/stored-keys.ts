import type { ResultEvent } from '../base/event.ts'
import { type Client, isAbsent } from './client.ts'
import { connect } from './connect.ts'
import type { CommandContext } from './context.ts'

/** Keys that `fairway secret set` gave, with the version in force. */
export async function askStoredKeys(
  client: Client,
  project: string,
  environment: string,
): Promise<ReadonlyMap<string, number>> {
  const body = { project, environment }
  const { data } = await client.json<ResultEvent>('POST', '/v1/operations/secret-list', { body })
  const { secrets } = data as { secrets: { key: string; version: number }[] }
  return new Map(secrets.map(({ key, version }) => [key, version]))
}

/** The same for a command that only reads: none where no control plane was ever used. */
export async function storedKeys(
  context: CommandContext,
  project: string,
  environment: string,
): Promise<ReadonlyMap<string, number>> {
  try {
    return await askStoredKeys(await connect(context, 'if-used'), project, environment)
  } catch (error) {
    if (isAbsent(error)) return new Map()
    throw error
  }
}
