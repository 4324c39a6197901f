import type { FairwayEvent, FairwayEventBody, ResultEvent } from '../../base/event.ts'
import type { Palette } from './colour.ts'

/** One for each stream: the terminal may be one of them alone. */
export interface Paint {
  readonly out: Palette
  readonly err: Palette
}

/** How the result is said. */
export interface ReportStyle extends Paint {
  /** What was said to this command and the next one needs as well: ' --env production'. */
  readonly sameOptions?: string
  /** The gateway is not this machine's: an address of 127.0.0.1 would be another one. */
  readonly isElsewhere?: boolean
}

/** Takes events as they come, and the result once. */
export interface Reporter {
  readonly event: (event: FairwayEvent | FairwayEventBody) => void
  /** Prints how it ended; nothing comes after it. */
  result(result: ResultEvent): void
  /** Ends what is drawn, whatever happened. */
  close(): void
}
