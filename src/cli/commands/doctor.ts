import type { ResultEvent } from '../../base/event.ts'
import { errorCatalogue } from '../../base/error.ts'
import type { CommandModule } from '../command.ts'
import { gatherFacts } from '../doctor/facts.ts'
import { type Finding, findingsOf } from '../doctor/findings.ts'
import { type Palette, palette } from '../report/colour.ts'
import { coloursOn } from '../report/open-reporter.ts'
import { visibleLine } from '../report/visible.ts'

/** What Fairway needs of this machine, what is there, and what to do; ends with 69 when something needed is missing. */
export const run: CommandModule['run'] = async (_input, context) => {
  const { stdout, options, environment } = context
  const findings = findingsOf(await gatherFacts(context))
  const missing = findings.filter(({ state }) => state === 'missing')
  if (options.json === true) {
    const result: ResultEvent =
      missing.length === 0
        ? { kind: 'result', outcome: 'done', data: { findings } }
        : {
            kind: 'result',
            outcome: 'refused',
            error: {
              code: 'MACHINE_UNFIT',
              message: `${missing.map(({ name }) => name).join(', ')}: not as Fairway needs it`,
              details: missing.map(({ name, found }) => `${name}: ${found}`),
            },
            data: { findings },
          }
    stdout.write(`${JSON.stringify(result)}\n`)
  } else stdout.write(findingsText(findings, palette(coloursOn(stdout, environment)), stdout.isTTY))
  return missing.length === 0 ? 0 : errorCatalogue.MACHINE_UNFIT.exit
}

export function findingsText(all: readonly Finding[], paint: Palette, isTerminal: boolean): string {
  // What other programs said of themselves is among it.
  const findings = all.map(({ name, state, found, hint }) => ({
    name,
    state,
    found: visibleLine(found),
    hint: hint === undefined ? undefined : visibleLine(hint),
  }))
  if (!isTerminal) {
    const rows = findings.map(({ name, state, found, hint = '' }) => [name, state, found, hint].join('\t'))
    return `${rows.join('\n')}\n`
  }
  const width = Math.max(...findings.map(({ name }) => name.length))
  const marks = { good: paint.good('✓'), attention: paint.warn('!'), missing: paint.bad('✗') }
  const lines = findings.flatMap(({ name, state, found, hint }) => [
    `${marks[state]} ${name.padEnd(width)}  ${found}`,
    ...(hint === undefined ? [] : [`  ${' '.repeat(width)}  ${paint.dim(`→ ${hint}`)}`]),
  ])
  const missing = findings.filter(({ state }) => state === 'missing').length
  lines.push(missing === 0 ? paint.good('ready') : paint.bad(`${missing} to mend before \`fairway up\` can work`))
  return `${lines.join('\n')}\n`
}
