import { FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { type Client, fromReport } from './client.ts'
import type { CommandContext } from './context.ts'
import { planText } from './report/plan.ts'

/**
 * Changes of a protected environment show the plan and ask. Elsewhere what can be undone is not asked for.
 * @throws FairwayError USAGE where nobody can be asked
 */
export async function allowed(
  name: string,
  body: Readonly<Record<string, unknown>>,
  { client, context, yes }: { client: Client; context: CommandContext; yes: boolean },
): Promise<boolean> {
  if (yes || body['plan'] === true || name.startsWith('rollout-')) return true
  const { isProtected } = await import('./protected.ts')
  if (!(await isProtected(context))) return true
  const frames = client.frames<ResultEvent>('POST', `/v1/operations/${name}`, { body: { ...body, plan: true } })
  for await (const frame of frames) {
    if (frame.kind !== 'result') continue
    if (frame.error !== undefined) throw fromReport(frame.error)
    context.stderr.write(planText(frame.data))
  }
  return ask(`${context.options.env} is protected. Do it?`, context)
}

/** @throws FairwayError USAGE without a terminal: a prompt nobody sees is a hang */
export function requireTerminal(question: string, { stdin }: CommandContext): void {
  if (stdin.isTTY) return
  throw new FairwayError('USAGE', `${question} Nobody can be asked here`, { hint: 'Say so beforehand: --yes.' })
}

/** @throws FairwayError USAGE as `requireTerminal` does */
export async function ask(question: string, context: CommandContext): Promise<boolean> {
  requireTerminal(question, context)
  const { stdin, stderr } = context
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: stdin, output: stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim())
  } finally {
    lines.close()
  }
}
