import type { ResultEvent } from '../base/event.ts'
import type { CommandInput } from './command.ts'
import { wholeNumber } from './commands/change.ts'
import { connect } from './connect.ts'
import type { CommandContext } from './context.ts'
import { projectName } from './project-name.ts'

/** `config diff RELEASE RELEASE [SERVICE…]` and `mod diff …`: asks the control plane what the two differ in. */
export async function compareReleases(
  operation: 'config-diff' | 'module-diff',
  { words, positionals }: CommandInput,
  context: CommandContext,
): Promise<ResultEvent> {
  const [from = '', to = '', ...services] = positionals
  const body = {
    project: await projectName(context, services),
    environment: context.options.env,
    services,
    from: wholeNumber(from, `${words} RELEASE RELEASE`, { from: 1 }),
    to: wholeNumber(to, `${words} RELEASE RELEASE`, { from: 1 }),
  }
  const client = await connect(context, 'if-used')
  return client.json<ResultEvent>('POST', `/v1/operations/${operation}`, { body })
}
