import type { ResultEvent } from '../../base/event.ts'
import { findProjectName } from '../../config/project-name.ts'
import type { ReleaseSummary, RolloutSummary, ServiceStatus } from '../../server/api.ts'
import type { CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { isAbsent } from '../client.ts'
import { palette } from '../report/colour.ts'
import { describeChange, describeFailure, formatMs, formatTime } from '../report/describe.ts'
import { projectName } from '../project-name.ts'
import { coloursOn } from '../report/open-reporter.ts'
import { table } from '../report/table.ts'
import { visibleLine } from '../report/visible.ts'

/** status, releases, rollout show: asked once, printed as a table or as data. */
export const run: CommandModule['run'] = async ({ words, positionals, options }, context) => {
  const name = words.replace(' ', '-')
  // Outside of a project's folder `status` shows the whole home; a folder that was named must be a project's.
  const isHomeShown = words === 'status' && context.options.project === undefined
  const project = isHomeShown ? await findProjectName(context.folder) : await projectName(context, positionals)
  const environment = project === undefined && options['env'] === undefined ? undefined : context.options.env
  const body = {
    services: positionals,
    ...(project === undefined ? {} : { project }),
    ...(environment === undefined ? {} : { environment }),
  }
  const result = await askOrNothing(name, body, context)
  if (words === 'status' && project !== undefined && isEmpty(result)) await requireEnvironment(context)
  if (context.options.json === true) {
    context.stdout.write(`${JSON.stringify(result)}\n`)
    return 0
  }
  context.stdout.write(text(words, result.data, context))
  return 0
}

function isEmpty({ data }: ResultEvent): boolean {
  return (data as { services: readonly object[] }).services.length === 0
}

/** A misspelt environment is not an empty one. @throws FairwayError ENVIRONMENT_UNKNOWN */
async function requireEnvironment({ folder, options }: CommandContext): Promise<void> {
  await (await import('../../config/index.ts')).findDeclarations(folder, options.env, undefined)
}

async function askOrNothing(name: string, body: object, context: CommandContext): Promise<ResultEvent> {
  try {
    const client = await connect(context, 'if-used')
    return await client.json<ResultEvent>('POST', `/v1/operations/${name}`, { body })
  } catch (error) {
    if (!isAbsent(error) || name !== 'status' || context.options.server !== undefined) throw error
    return { kind: 'result', outcome: 'done', data: { services: [], addresses: null } } // a home nobody used yet
  }
}

function text(words: string, data: unknown, context: CommandContext): string {
  switch (words) {
    case 'status':
      return statusText(data as { services: ServiceStatus[] }, context)
    case 'releases':
      return releasesText(data as { services: { service: string; releases: ReleaseSummary[] }[] }, context)
    default:
      return rolloutText(data as { services: { service: string; rollout: RolloutSummary | null }[] }, context)
  }
}

function statusText({ services }: { services: ServiceStatus[] }, { stdout, environment }: CommandContext): string {
  if (services.length === 0) return 'Nothing was released here yet: fairway up\n'
  const paint = palette(coloursOn(stdout, environment))
  const marks = {
    healthy: '✓',
    degraded: '!',
    unavailable: '✗',
    changing: '…',
    'crash-loop': '✗',
    'scaled-to-zero': '-',
    down: '-',
  }
  // Outside of a project's folder the whole home is shown: then a name alone says too little.
  const isOneProject = new Set(services.map(({ scope }) => scope.slice(0, scope.lastIndexOf('/')))).size === 1
  const rows = services.map((one) => [
    isOneProject ? one.service : one.scope,
    `${marks[one.condition]} ${one.condition}`,
    one.release === null ? '-' : String(one.release),
    `${one.healthy}/${one.instances}${one.declared !== one.instances && one.release !== null ? ` (file says ${one.declared})` : ''}`,
    one.since === null ? '-' : formatTime(one.since),
    lastRollout(one.lastRollout),
    one.url ?? one.internalUrl ?? '-',
  ])
  const head = ['SERVICE', 'STATE', 'RELEASE', 'HEALTHY', 'SINCE', 'LAST ROLLOUT', 'URL']
  const overview = table([head, ...rows], {
    isTerminal: stdout.isTTY,
    width: stdout.columns,
    numbers: [2],
    dispensable: [4, 6, 5],
    paintHead: paint.dim,
  })
  return overview + services.flatMap((one) => [...jobLines(one), ...onlyOneLines(one), ...troubleLines(one)]).join('')
}

function jobLines({ service, jobs }: ServiceStatus): string[] {
  return jobs.map(({ name, pid, startedAt, command }) => {
    const what = command === null ? '' : `: ${command.join(' ')}`
    return `  ${service} job ${name} runs since ${formatTime(startedAt)}, pid ${pid}${what}\n`
  })
}

function onlyOneLines({ service, onlyOne }: ServiceStatus): string[] {
  if (onlyOne === null) return []
  return [`${visibleLine(`  ${service} has one instance: ${onlyOne.why} → ${onlyOne.hint}`)}\n`]
}

/** What a person asks next when the state is not `healthy`. */
function troubleLines({ service, scope, troubles }: ServiceStatus): string[] {
  const environment = scope.split('/')[1] ?? 'dev'
  const lines = troubles.map(({ instance, what, nextStartInMs }) => {
    const next = nextStartInMs === null ? '' : `; next start in ${formatMs(nextStartInMs)}`
    return `${visibleLine(`  ${service} ${instance} ${what}${next}`)}\n`
  })
  const logs = `fairway logs ${service}${environment === 'dev' ? '' : ` --env ${environment}`}`
  return lines.length === 0 ? [] : [...lines, `  → ${logs}\n`]
}

function lastRollout(rollout: RolloutSummary | null): string {
  if (rollout === null) return '-'
  return `${rollout.verb} ${rollout.to ?? ''} ${rollout.outcome ?? `stage ${rollout.stage + 1}/${rollout.stages}`}`.replace(
    / +/g,
    ' ',
  )
}

function releasesText(
  { services }: { services: { service: string; releases: ReleaseSummary[] }[] },
  { stdout, environment }: CommandContext,
): string {
  const paint = palette(coloursOn(stdout, environment))
  const head = ['SERVICE', 'RELEASE', '', 'MADE', 'BY', 'FROM', 'GO', 'LAST ROLLOUT']
  const rows = services.flatMap(({ service, releases }) =>
    releases.map((release) => [
      service,
      String(release.number),
      release.serving ? '● serves' : release.kept ? '' : 'files gone',
      formatTime(release.createdAt),
      release.who,
      `${release.from}${release.commit === null ? '' : ` ${release.commit.slice(0, 8)}${release.dirty ? '+' : ''}`}`,
      release.goVersion,
      lastOf(release.rollouts),
    ]),
  )
  return table([head, ...rows], {
    isTerminal: stdout.isTTY,
    width: stdout.columns,
    numbers: [1],
    dispensable: [6, 4, 5, 3, 7],
    paintHead: paint.dim,
  })
}

/** How the last one went; of a release that came and went often, all of them would push everything else away. */
function lastOf([last, ...earlier]: readonly RolloutSummary[]): string {
  if (last === undefined) return '-'
  const took = last.tookMs === null ? '' : ` ${formatMs(last.tookMs)}`
  return `${last.verb} ${last.outcome ?? 'under way'}${took}${earlier.length === 0 ? '' : ` (${earlier.length} before)`}`
}

function rolloutText(
  { services }: { services: { service: string; rollout: RolloutSummary | null }[] },
  _context: CommandContext,
): string {
  return services
    .map(({ service, rollout }) => {
      if (rollout === null) return `${service}: no rollout yet\n`
      const state = rollout.outcome ?? `${rollout.phase}, stage ${rollout.stage + 1} of ${rollout.stages}`
      const lines = [
        `${service}: ${describeChange(rollout)}: ${state}`,
        `  by ${rollout.who} at ${formatTime(rollout.startedAt)}${rollout.tookMs === null ? '' : `, took ${formatMs(rollout.tookMs)}`}`,
        ...(rollout.switchedMs === null ? [] : [`  traffic switched after ${formatMs(rollout.switchedMs)}`]),
        ...(rollout.why === null ? [] : [`  why: ${rollout.why}`]),
        ...(rollout.failure === null ? [] : describeFailure(rollout.failure).map((line) => `  ${line}`)),
      ]
      return `${lines.map((line) => visibleLine(line)).join('\n')}\n`
    })
    .join('')
}
