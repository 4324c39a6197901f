import type { ResultEvent } from '../../base/event.ts'
import { worstOutcome } from '../../base/outcome.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { exitOf, followOperation } from '../follow.ts'
import { FairwayError } from '../../base/error.ts'
import { allowed } from '../permission.ts'
import { projectName } from '../project-name.ts'
import { planText } from '../report/plan.ts'
import { openReporter } from '../report/open-reporter.ts'

/** rollback, scale, down, rollout abort, rollout promote: asked of the control plane and followed to their end. */
export const run: CommandModule['run'] = async (input, context) => {
  if (input.options['all'] === true) return downAll(input, context)
  // What was asked is understood before a control plane is started for it.
  const { services, ...rest } = bodyOf(input)
  const project = await projectName(context, services)
  const body = { project, environment: context.options.env, services, ...rest }
  const client = await connect(context, 'always')
  const reporter = await openReporter(context)
  try {
    const name = input.words.replace(' ', '-')
    if (!(await allowed(name, body, { client, context, yes: input.options['yes'] === true }))) {
      reporter.result({ kind: 'result', outcome: 'aborted' })
      return exitOf({ kind: 'result', outcome: 'aborted' })
    }
    const result = await followOperation(name, body, { client, context, reporter })
    const isPlan = input.options['plan'] === true && context.options.json !== true && result.error === undefined
    if (isPlan) context.stdout.write(planText(result.data))
    else reporter.result(result)
    return exitOf(result)
  } finally {
    reporter.close()
  }
}

function bodyOf(input: CommandInput): { readonly services: readonly string[]; readonly [key: string]: unknown } {
  const { positionals, options } = input
  const common = { wait: options['wait'] === true, plan: options['plan'] === true }
  switch (input.words) {
    case 'scale': {
      const [count = '', ...services] = positionals
      return { ...common, services, instances: wholeNumber(count, 'scale N', { to: 1000 }) }
    }
    case 'rollback': {
      const to = options['to']
      return {
        ...common,
        services: positionals,
        ...(typeof to === 'string' ? { to: wholeNumber(to, '--to N', { from: 1 }) } : {}),
      }
    }
    case 'down':
      return { ...common, services: positionals }
    default:
      return { services: positionals }
  }
}

/** @throws FairwayError USAGE with the rule */
export function wholeNumber(
  text: string,
  what: string,
  { from = 0, to = 999_999_999 }: { from?: number; to?: number } = {},
): number {
  const number = Number(text)
  if (/^\d{1,9}$/.test(text) && number >= from && number <= to) return number
  const range = to < 999_999_999 ? ` from ${from} to ${to}` : from > 0 ? ` from ${from} on` : ''
  throw new FairwayError('USAGE', `${what}: expected a whole number${range}, found ${JSON.stringify(text)}`)
}

/** Every project and environment of this home, one after another. */
async function downAll(input: CommandInput, context: CommandContext): Promise<number> {
  const client = await connect(context, 'always')
  const { data } = await client.json<{ data: { services: { scope: string; release: number | null }[] } }>(
    'POST',
    '/v1/operations/status',
    { body: {} },
  )
  const places = new Set(
    data.services.filter(({ release }) => release !== null).map(({ scope }) => scope.split('/').slice(0, 2).join('/')),
  )
  const plan = input.options['plan'] === true
  const isConfirmed = plan || (await confirmAll([...places], input, context))
  const reporter = await openReporter(context)
  try {
    if (!isConfirmed) {
      reporter.result({ kind: 'result', outcome: 'aborted' })
      return exitOf({ kind: 'result', outcome: 'aborted' })
    }
    const results: ResultEvent[] = []
    for (const place of places) {
      const [project = '', environment = ''] = place.split('/')
      const result = await followOperation('down', { project, environment, plan }, { client, context, reporter })
      const services = (result.services ?? []).map((one) => ({ ...one, service: `${place}/${one.service}` }))
      results.push({ ...result, services })
    }
    const whole = combine(results)
    if (plan && context.options.json !== true && whole.error === undefined) context.stdout.write(planText(whole.data))
    else reporter.result(whole)
    return exitOf(whole)
  } finally {
    reporter.close()
  }
}

function combine(results: readonly ResultEvent[]): ResultEvent {
  const error = results.find((result) => result.error !== undefined)?.error
  return {
    kind: 'result',
    outcome: worstOutcome(results.map(({ outcome }) => outcome)),
    services: results.flatMap(({ services = [] }) => services),
    data: results.flatMap(({ data }) => (Array.isArray(data) ? (data as unknown[]) : [])),
    ...(error === undefined ? {} : { error }),
  }
}

async function confirmAll(places: readonly string[], input: CommandInput, context: CommandContext): Promise<boolean> {
  if (input.options['yes'] === true || places.length === 0) return true
  const { ask } = await import('../permission.ts')
  return ask(`Take down ${places.join(', ')}?`, context)
}
