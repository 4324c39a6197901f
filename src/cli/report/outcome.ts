import type { FairwayEventBody, ResultEvent } from '../../base/event.ts'
import { failureText } from './failure.ts'
import type { ReportStyle } from './reporter.ts'
import { visibleLine } from './visible.ts'

const words: Readonly<Record<ResultEvent['outcome'], string>> = {
  done: 'done',
  unchanged: 'unchanged: it stands as it was asked for',
  detached: 'detached: it goes on without this terminal; fairway events -f follows it',
  reverted: 'reverted: it stands as before',
  failed: 'failed: it could not be reverted; fairway status says what stands where',
  aborted: 'aborted: it stands as before',
  refused: 'refused: nothing was changed',
}

export type RolloutBegun = Extract<FairwayEventBody, { kind: 'rollout-begun' }>

interface OutcomeContext extends Omit<ReportStyle, 'err'> {
  /** What the operation changed, in order. */
  readonly rollouts: readonly RolloutBegun[]
}

/** The last lines: outcome, what serves now, where, and the next command. Errors go to stderr, the rest to stdout. */
export function outcomeText(result: ResultEvent, context: OutcomeContext): { out: string; err: string } {
  const { good, bad, strong } = context.out
  const isGood = result.outcome === 'done' || result.outcome === 'unchanged' || result.outcome === 'detached'
  const lines: string[] = []
  for (const { service, outcome, release, url } of result.services ?? []) {
    const mark = outcome === 'done' || outcome === 'unchanged' ? good('✓') : bad('✗')
    const serves = release === null ? 'nothing serves' : `release ${release} serves`
    lines.push(
      `${mark} ${strong(visibleLine(service))}  ${outcome}  ${serves}${url === undefined ? '' : `  ${visibleLine(url)}`}`,
    )
    if (url?.startsWith('http')) lines.push(`  ${visibleLine(curlLine(url, context))}`)
  }
  const said = wordsOf(result)
  lines.push(`${isGood ? good(said) : bad(said)}${nextCommand(result, context)}`)
  return {
    out: `${lines.join('\n')}\n`,
    err: result.error === undefined ? '' : failureText(result.error),
  }
}

/** That nothing was to be done is good news of one kind where it serves, and of another where it is down. */
function wordsOf({ outcome, services = [] }: ResultEvent): string {
  if (outcome === 'aborted' && services.length === 0) return 'aborted' // a job, or what had not begun
  if (outcome !== 'unchanged' || services.length === 0) return words[outcome]
  if (services.every(({ release }) => release === null)) return 'unchanged: it is down already'
  return services.every(({ release }) => release !== null) ? 'unchanged: it serves already' : words.unchanged
}

/** What can be undone was not asked for: so the way back is said. */
function nextCommand({ outcome }: ResultEvent, { rollouts, sameOptions = '' }: OutcomeContext): string {
  const [first] = rollouts
  if (first === undefined) return ''
  if (outcome === 'reverted' || outcome === 'failed') return `; the evidence again: fairway rollout show${sameOptions}`
  if (outcome !== 'done') return ''
  if (rollouts.length > 1) return `; how it is: fairway status${sameOptions}`
  if (first.to === null) return `; back: fairway up${sameOptions}`
  if (first.from === null || first.from === first.to) return `; how it is: fairway status${sameOptions}`
  return `; back: fairway rollback ${first.scope.split('/').at(-1) ?? ''} --to ${first.from}${sameOptions}`
}

/** Not every resolver knows *.localhost, nor a host that is yet to get its name: the same address for curl, on this machine. */
export function curlLine(url: string, { isElsewhere = false }: { isElsewhere?: boolean } = {}): string {
  const { hostname, port, pathname } = new URL(url)
  const at = `http://127.0.0.1${port === '' ? '' : `:${port}`}${pathname}`
  return isElsewhere ? `curl ${url}` : `curl -H 'Host: ${hostname}' ${at}`
}
