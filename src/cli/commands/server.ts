import { FairwayError } from '../../base/error.ts'
import { closeInheritedDescriptors } from '../../base/inherited-descriptors.ts'
import type { VersionAnswer } from '../../server/api.ts'
import { isAbsent } from '../client.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { describeEvent, formatTime } from '../report/describe.ts'

/** server run, start, stop, status, install, token, backup, restore. */
export const run: CommandModule['run'] = async (input, context) => {
  switch (input.words) {
    case 'server run':
      return foreground(context)
    case 'server start':
      return start(context)
    case 'server stop':
      return stop(context)
    case 'server status':
      return status(context)
    case 'server token':
      return token(context)
    case 'server install':
      return (await import('../install.ts')).install(context, { print: input.options['print'] === true })
    default:
      return copy(input, context)
  }
}

async function foreground({ home, environment, stderr }: CommandContext): Promise<number> {
  closeInheritedDescriptors([]) // what it starts outlives it
  const { serve } = await import('../../server/serve.ts')
  const serving = await serve({ home, environment })
  const { addresses } = serving.answer()
  stderr.write(
    `control plane of ${home}: ${addresses.socket}, http://${addresses.api}; gateway ${addresses.gateway.join(', ')}\n`,
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => serving.stop())
  await serving.ended
  process.exit(0)
}

async function start(context: CommandContext): Promise<number> {
  const client = await connect(context, 'always')
  return print(await client.json<VersionAnswer>('GET', '/v1/version'), context)
}

async function stop(context: CommandContext): Promise<number> {
  try {
    const client = await connect(context, 'never')
    const gatewayEnded = await (await import('../start-server.ts')).stopServer(client)
    const rest = gatewayEnded ? 'and the gateway with it, since nothing serves' : 'instances and gateway serve on'
    return say(context, 'done', `the control plane has ended, ${rest}`)
  } catch (error) {
    if (!isAbsent(error)) throw error
    return say(context, 'unchanged', 'no control plane runs; what it had started serves on')
  }
}

async function status(context: CommandContext): Promise<number> {
  const client = await connect(context, 'never')
  return print(await client.json<VersionAnswer>('GET', '/v1/version'), context)
}

async function token({ home, stdout, options }: CommandContext): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  let text: string
  try {
    text = (await readFile(`${home}/token`, 'utf8')).trim()
  } catch (cause) {
    throw new FairwayError('HOME_UNUSABLE', `${home}/token cannot be read`, {
      hint: 'It is made with the home: fairway server start.',
      cause,
    })
  }
  stdout.write(
    options.json === true
      ? `${JSON.stringify({ kind: 'result', outcome: 'done', data: { token: text } })}\n`
      : `${text}\n`,
  )
  return 0
}

async function copy(input: CommandInput, context: CommandContext): Promise<number> {
  const { backUp, restore } = await import('../backup.ts')
  const [file = ''] = input.positionals
  if (input.words === 'server backup') {
    const changed = await backUp(file, context)
    if (changed.length > 0) warn(context, `copied while it was written to: ${listed(changed)}`)
    return say(
      context,
      'done',
      `state, keys and artifacts of ${context.home} are in ${file}; it opens every secret: keep it safe`,
    )
  }
  await restore(file, context, { overwrite: input.options['yes'] === true })
  return say(
    context,
    'done',
    `${context.home} holds what ${file} held; fairway server start brings up what was desired`,
  )
}

function print(answer: VersionAnswer, { stdout, options }: CommandContext): number {
  if (options.json === true) stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data: answer })}\n`)
  else {
    const { addresses } = answer
    stdout.write(`control plane ${answer.version} (pid ${answer.pid}) since ${formatTime(answer.startedAt)}\n`)
    stdout.write(
      `  socket   ${addresses.socket}\n  API      http://${addresses.api}\n  gateway  ${addresses.gateway.join(', ')}\n`,
    )
  }
  return 0
}

function warn({ stdout, options }: CommandContext, message: string): void {
  const event = { kind: 'warning', message } as const
  stdout.write(options.json === true ? `${JSON.stringify(event)}\n` : `${describeEvent(event)}\n`)
}

function listed(names: readonly string[]): string {
  const rest = names.length - 5
  return `${names.slice(0, 5).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function say({ stdout, options }: CommandContext, outcome: 'done' | 'unchanged', text: string): number {
  stdout.write(options.json === true ? `${JSON.stringify({ kind: 'result', outcome })}\n` : `${text}\n`)
  return 0
}
