import type { FairwayEventBody, ResultEvent } from '../../base/event.ts'
import type { Palette } from './colour.ts'
import { failureText } from './failure.ts'
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

interface OutcomeContext {
  /** What the operation changed, in order. */
  readonly rollouts: readonly RolloutBegun[]
  readonly out: Palette
}

/** The last lines: outcome, what serves now, where, and the next command. Errors go to stderr, the rest to stdout. */
export function outcomeText(
  result: ResultEvent,
  { rollouts, out: { good, bad, strong } }: OutcomeContext,
): { out: string; err: string } {
  const isGood = result.outcome === 'done' || result.outcome === 'unchanged' || result.outcome === 'detached'
  const lines: string[] = []
  for (const { service, outcome, release, url } of result.services ?? []) {
    const mark = outcome === 'done' || outcome === 'unchanged' ? good('✓') : bad('✗')
    const serves = release === null ? 'nothing serves' : `release ${release} serves`
    lines.push(
      `${mark} ${strong(visibleLine(service))}  ${outcome}  ${serves}${url === undefined ? '' : `  ${visibleLine(url)}`}`,
    )
    if (url !== undefined) lines.push(`  ${visibleLine(curlLine(url))}`)
  }
  const said = wordsOf(result)
  lines.push(`${isGood ? good(said) : bad(said)}${nextCommand(result, rollouts)}`)
  return {
    out: `${lines.join('\n')}\n`,
    err: result.error === undefined ? '' : failureText(result.error),
  }
}

/** That nothing was to be done is good news of one kind where it serves, and of another where it is down. */
function wordsOf({ outcome, services = [] }: ResultEvent): string {
  if (outcome !== 'unchanged' || services.length === 0) return words[outcome]
  if (services.every(({ release }) => release === null)) return 'unchanged: it is down already'
  return services.every(({ release }) => release !== null) ? 'unchanged: it serves already' : words.unchanged
}

/** What can be undone was not asked for: so the way back is said. */
function nextCommand({ outcome }: ResultEvent, rollouts: readonly RolloutBegun[]): string {
  const [first] = rollouts
  if (first === undefined) return ''
  if (outcome === 'reverted' || outcome === 'failed') return '; the evidence again: fairway rollout show'
  if (outcome !== 'done') return ''
  if (rollouts.length > 1) return '; how it is: fairway status'
  if (first.to === null) return '; back: fairway up'
  if (first.from === null || first.from === first.to) return '; how it is: fairway status'
  return `; back: fairway rollback ${first.scope.split('/').at(-1) ?? ''} --to ${first.from}`
}

/** Not every resolver knows *.localhost: the same address for curl. */
export function curlLine(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  const at = `http://127.0.0.1${port === '' ? '' : `:${port}`}${pathname}`
  return hostname.endsWith('.localhost') ? `curl -H 'Host: ${hostname}' ${at}` : `curl ${url}`
}
