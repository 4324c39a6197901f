import type { FairwayEvent, FairwayEventBody, ResultEvent } from '../../base/event.ts'
import type { Palette } from './colour.ts'

/** One for each stream: the terminal may be one of them alone. */
export interface Paint {
  readonly out: Palette
  readonly err: Palette
}

/** Takes events as they come, and the result once. */
export interface Reporter {
  readonly event: (event: FairwayEvent | FairwayEventBody) => void
  /** Prints how it ended; nothing comes after it. */
  result(result: ResultEvent): void
  /** Ends what is drawn, whatever happened. */
  close(): void
}
