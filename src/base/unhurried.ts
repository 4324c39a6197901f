import { setImmediate as turn } from 'node:timers/promises'

/** Shorter than anyone who asks for something else meanwhile would notice, many times over: an answer takes several turns. */
const workMs = 4

/** The same items; after a few milliseconds of work on them, whatever else waits in this process has its turn. */
export async function* unhurried<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  let begin = performance.now()
  for await (const item of items) {
    yield item
    if (performance.now() - begin < workMs) continue
    await turn()
    begin = performance.now()
  }
}
