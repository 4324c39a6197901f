import { availableParallelism } from 'node:os'
import { FairwayError } from '../base/error.ts'
import {
  buildServices,
  type FoundStart,
  type LocatedService,
  lookAtStarts,
  type OpenedSource,
} from '../pipeline/index.ts'
import type { CommandContext } from './context.ts'
import type { Reporter } from './report/reporter.ts'

/** How each starts, built and tried out; none where it does not compile: that is for the build to say. */
export async function tryStarts(
  opened: OpenedSource,
  located: readonly LocatedService[],
  {
    context,
    reporter,
    signal,
  }: { readonly context: CommandContext; readonly reporter: Reporter; readonly signal: AbortSignal },
): Promise<FoundStart[]> {
  const options = {
    cacheFolder: `${context.home}/cache`,
    processEnvironment: context.environment,
    report: reporter.event,
    now: Date.now,
    signal,
  }
  try {
    const built = await buildServices(opened, located, { ...options, processors: availableParallelism() })
    try {
      return await lookAtStarts(opened, built, options)
    } finally {
      for (const one of built) await one[Symbol.asyncDispose]()
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof FairwayError)) throw error
    reporter.event({ kind: 'warning', message: `nothing was tried out: ${error.message}` })
    return []
  }
}
