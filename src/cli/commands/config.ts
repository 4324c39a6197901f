import { FairwayError } from '../../base/error.ts'
import type { FairwayEventBody, ResultEvent } from '../../base/event.ts'
import { checkProject, type InspectedProject } from '../../config/index.ts'
import { findSource, ProjectSource } from '../../go/index.ts'
import { openSupply } from '../../pipeline/index.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { compareReleases } from '../compare-releases.ts'
import type { CommandContext } from '../context.ts'
import { describeEvent } from '../report/describe.ts'
import { visibleLine, visibleText } from '../report/visible.ts'
import { storedKeys } from '../stored-keys.ts'

/** config explain, check, diff. */
export const run: CommandModule['run'] = async (input, context) => {
  switch (input.words) {
    case 'config diff':
      return diff(input, context)
    case 'config check':
      return check(context)
    default:
      return explain(input.positionals[0] ?? '', context)
  }
}

async function inspect(context: CommandContext): Promise<InspectedProject> {
  const { environment: processEnvironment } = context
  return checkProject({
    folder: context.folder,
    environment: context.options.env,
    processEnvironment,
    detectServices: async (folder, { version }) => {
      const report = (event: FairwayEventBody) => {
        const text = context.options.json === true ? undefined : describeEvent(event)
        if (text !== undefined) context.stderr.write(`${text}\n`)
      }
      const supply = openSupply({ home: context.home, processEnvironment, report })
      const source = await findSource(folder)
      const toolchain = await supply.choose({ wanted: source.wanted, pin: version })
      return ProjectSource.of(source, toolchain).detectServices()
    },
    stored: (project, environment) => storedKeys(context, project, environment),
  })
}

async function explain(key: string, context: CommandContext): Promise<number> {
  const { traces } = await inspect(context)
  const found = traces.filter((trace) => trace.key === key)
  if (found.length === 0) {
    const known = [...new Set(traces.map((trace) => trace.key))]
    throw new FairwayError('USAGE', `No layer and no declaration has ${key}`, {
      hint: known.length === 0 ? 'This environment has no values at all.' : `Known: ${known.join(', ')}.`,
    })
  }
  if (context.options.json === true) {
    context.stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data: { key, services: found } })}\n`)
    return 0
  }
  for (const { service, layers, declaration } of found) {
    context.stdout.write(
      `${key} for ${service}${declaration === undefined ? ' (not declared)' : ` (${declaration.type})`}\n`,
    )
    if (layers.length === 0) context.stdout.write('  no layer has a value\n')
    for (const { layer, line, value, wins } of [...layers].reverse()) {
      const place = line === undefined ? layer : `${layer}:${line}`
      const shown = `  ${wins ? '● ' : '  '}${place}  ${value}${wins ? '' : '  (hidden)'}`
      context.stdout.write(`${visibleLine(shown)}\n`)
    }
  }
  return 0
}

async function check(context: CommandContext): Promise<number> {
  const { findings, warnings, environment } = await inspect(context)
  const errors = findings.filter(({ kind }) => kind !== 'undeclared' && kind !== 'unused')
  if (context.options.json === true) {
    const data = { environment, findings, warnings }
    const [first] = errors
    const result: ResultEvent =
      first === undefined
        ? { kind: 'result', outcome: 'done', data }
        : { kind: 'result', outcome: 'refused', data, error: { code: 'VALUES_INVALID', message: first.message } }
    context.stdout.write(`${JSON.stringify(result)}\n`)
  } else {
    // Of several services each has the same thing to say of a key that none declares.
    const said = new Set(findings.map(({ kind, message }) => `${kind}: ${message}\n`))
    for (const line of said) context.stdout.write(visibleText(line))
    for (const message of warnings) context.stdout.write(visibleText(`warning: ${message}\n`))
    if (findings.length + warnings.length === 0) context.stdout.write(`${environment}: nothing to remark\n`)
  }
  return errors.length === 0 ? 0 : 78
}

async function diff(input: CommandInput, context: CommandContext): Promise<number> {
  const [from = '', to = ''] = input.positionals
  const result = await compareReleases('config-diff', input, context)
  if (context.options.json === true) {
    context.stdout.write(`${JSON.stringify(result)}\n`)
    return 0
  }
  const { services: compared } = result.data as { services: Difference[] }
  for (const { service, values, run: parts, artifact } of compared) {
    context.stdout.write(`${service}: ${from} → ${to}\n`)
    if (artifact !== null) {
      context.stdout.write(`  binary    ${artifact.before.slice(0, 12)} → ${artifact.after.slice(0, 12)}\n`)
    }
    for (const { key, change, before, after } of values) {
      context.stdout.write(`${visibleLine(`  ${change.padEnd(8)}  ${key}: ${before ?? '-'} → ${after ?? '-'}`)}\n`)
    }
    for (const { part, before, after } of parts)
      context.stdout.write(`${visibleLine(`  ${part}: ${before} → ${after}`)}\n`)
    if (artifact === null && values.length === 0 && parts.length === 0) context.stdout.write('  no difference\n')
  }
  return 0
}

interface Difference {
  readonly service: string
  readonly values: readonly { key: string; change: string; before?: string; after?: string }[]
  readonly run: readonly { part: string; before: string; after: string }[]
  readonly artifact: { before: string; after: string } | null
}
