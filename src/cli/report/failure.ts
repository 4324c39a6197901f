import { errorCatalogue, FairwayError, reportError } from '../../base/error.ts'
import type { ResultEvent } from '../../base/event.ts'
import { visibleText } from './visible.ts'

/** Prints why nothing was changed. @returns the exit status of the error */
export function printFailure(
  error: unknown,
  { json, stdout, stderr }: { json: boolean; stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream },
): number {
  const report = reportError(error)
  if (json) {
    stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'refused', error: report } satisfies ResultEvent)}\n`)
  } else stderr.write(failureText(report))
  return error instanceof FairwayError ? errorCatalogue[error.code].exit : 70
}

export function failureText({ code, message, hint, details = [] }: ReturnType<typeof reportError>): string {
  const shown = details.filter((detail) => !message.startsWith(detail)) // 'X (and 2 more)' has said X
  const lines = [
    code === 'INTERNAL' ? `fairway: a bug of ours, please report it: ${message}` : `fairway: ${message}  [${code}]`,
    ...shown.map((detail) => `  ${detail}`),
    ...(hint === undefined ? [] : [`  → ${hint}`]),
    '',
  ]
  return visibleText(lines.join('\n'))
}
