import type { ResultEvent } from '../../base/event.ts'
import type { Palette } from './colour.ts'
import { failureText } from './failure.ts'

const words: Readonly<Record<ResultEvent['outcome'], string>> = {
  done: 'done',
  unchanged: 'unchanged: it serves already',
  detached: 'detached: it goes on without this terminal; fairway events -f follows it',
  reverted: 'reverted: what served before serves on',
  failed: 'failed: it could not be reverted; fairway status says what stands where',
  aborted: 'aborted: what served before serves on',
  refused: 'refused: nothing was changed',
}

/** The last lines: outcome, what serves now, where, and the next command. */
export function outcomeText(result: ResultEvent, { good, bad, strong }: Palette): { out: string; err: string } {
  const isGood = result.outcome === 'done' || result.outcome === 'unchanged' || result.outcome === 'detached'
  const lines: string[] = []
  for (const { service, outcome, release, url } of result.services ?? []) {
    const mark = outcome === 'done' || outcome === 'unchanged' ? good('✓') : bad('✗')
    const serves = release === null ? 'nothing serves' : `release ${release} serves`
    lines.push(`${mark} ${strong(service)}  ${outcome}  ${serves}${url === undefined ? '' : `  ${url}`}`)
    if (url !== undefined) lines.push(`  ${curlLine(url)}`)
  }
  lines.push(isGood ? good(words[result.outcome]) : bad(words[result.outcome]))
  return {
    out: `${lines.join('\n')}\n`,
    err: result.error === undefined ? '' : failureText(result.error),
  }
}

/** Not every resolver knows *.localhost: the same address for curl. */
export function curlLine(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  const at = `http://127.0.0.1${port === '' ? '' : `:${port}`}${pathname}`
  return hostname.endsWith('.localhost') ? `curl -H 'Host: ${hostname}' ${at}` : `curl ${url}`
}
