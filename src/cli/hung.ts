import { readFile } from 'node:fs/promises'
import { FairwayError } from '../base/error.ts'
import { readProcessStat } from '../base/process-identity.ts'
import type { CommandContext } from './context.ts'
import { startServer } from './start-server.ts'

/** Our wait for its answer is over, and its lease soon: 15 s after it last beat. */
const patienceMs = 20_000

/**
 * Puts a new control plane in the place of this home's own one that takes connections and answers nothing. The new one ends
 * it as soon as its lease is over; one that answers again meanwhile stays.
 * @throws FairwayError SERVER_UNREACHABLE while it holds its lease all the same; what `startServer` throws
 */
export async function succeedHung(context: CommandContext): Promise<void> {
  const hung = await describeHung(context)
  context.stderr.write(`fairway: ${hung.message}: another one takes its place\n`)
  try {
    await startServer(context, { patienceMs })
  } catch (error) {
    throw error instanceof FairwayError && error.code === 'HOME_BUSY' ? hung : error
  }
}

/** Who it is, and the way out. */
export async function describeHung({ home }: Pick<CommandContext, 'home'>): Promise<FairwayError> {
  const pid = await notedPid(home)
  const state = pid === undefined ? undefined : (await readProcessStat(pid))?.state
  const what = state === 'T' || state === 't' ? 'is stopped' : 'does not answer'
  const named = pid === undefined || state === undefined ? '' : ` (pid ${pid})`
  return new FairwayError('SERVER_UNREACHABLE', `The control plane of ${home}${named} ${what}`, {
    hint:
      '`fairway server start` ends it and starts another, which adopts what runs.' +
      (named === '' || what !== 'is stopped' ? '' : ` To let this one go on instead: kill -CONT ${pid}`),
  })
}

async function notedPid(home: string): Promise<number | undefined> {
  try {
    const { pid } = JSON.parse(await readFile(`${home}/run/server.json`, 'utf8')) as { pid?: unknown }
    return typeof pid === 'number' ? pid : undefined
  } catch {
    return undefined // it did not come so far
  }
}
