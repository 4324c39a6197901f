import { realpath } from 'node:fs/promises'
import { counted } from '../../base/counted.ts'
import { errnoOf, errorCatalogue, type ErrorReport, FairwayError } from '../../base/error.ts'
import type { ResultEvent } from '../../base/event.ts'
import { readServiceNames } from '../../config/index.ts'
import { lintLayout, type LintReport, readTree } from '../../lint/index.ts'
import type { CommandModule } from '../command.ts'
import { type Palette, palette } from '../report/colour.ts'
import { failureText } from '../report/failure.ts'
import { coloursOn } from '../report/open-reporter.ts'
import { visibleLine } from '../report/visible.ts'

/** Reads a tree and says what in it will hurt; nothing of it is run. */
export const run: CommandModule['run'] = async ({ options }, context) => {
  const { folder, environment, stdout, stderr } = context
  const services = await readServiceNames(folder)
  const real = await realpath(folder).catch((error: unknown) => {
    throw errnoOf(error) === undefined ? error : new FairwayError('USAGE', `${folder} is not a folder that can be read`)
  })
  const report = lintLayout(await readTree(real, { environment, services }))
  const error = options['strict'] === true ? verdict(report) : undefined
  if (context.options.json === true) {
    const result: ResultEvent =
      error === undefined
        ? { kind: 'result', outcome: 'done', data: report }
        : { kind: 'result', outcome: 'refused', data: report, error }
    stdout.write(`${JSON.stringify(result)}\n`)
  } else {
    stdout.write(text(report, palette(coloursOn(stdout, environment))))
    if (error !== undefined) stderr.write(failureText(error))
  }
  return error === undefined ? 0 : errorCatalogue.CHECK_FAILED.exit
}

function verdict({ findings }: LintReport): ErrorReport | undefined {
  const grave = findings.filter(({ severity }) => severity !== 'note')
  if (grave.length === 0) return undefined
  const message = `${counted(grave.length, 'finding')} that ${grave.length === 1 ? 'breaks or hurts' : 'break or hurt'}`
  return {
    code: 'CHECK_FAILED',
    message,
    hint: 'Mend them; what is meant to be so says so: //fairway:allow RULE, with a reason.',
  }
}

/** Each rule once, with its reason, and its places below. */
function text({ findings, rules, allowed }: LintReport, { bad, warn, dim, strong }: Palette): string {
  const kept = allowed === 0 ? [] : [dim(`${allowed} allowed by a comment`)]
  if (findings.length === 0) return `${['Nothing here will hurt.', ...kept].join('\n')}\n`
  const paint = { breaks: bad, hurts: warn, note: dim }
  const order = [...new Set(findings.map(({ rule }) => rule))]
  const blocks = order.flatMap((id) => {
    const rule = rules.find((one) => one.id === id)
    if (rule === undefined) return []
    const places = findings.filter((one) => one.rule === id)
    return [
      `${paint[rule.severity](rule.severity)}  ${strong(rule.title)}  ${dim(`[${id}]`)}`,
      ...places.map(({ file, line, message }) => visibleLine(`  ${file}${line === 0 ? '' : `:${line}`}  ${message}`)),
      `  why: ${rule.why}`,
      `  → ${rule.remedy}`,
      '',
    ]
  })
  return `${[...blocks, ...kept].join('\n')}\n`
}
