import type { IncomingMessage } from 'node:http'

/** So much may wait to be taken before the source is made to wait. */
const mostWaitingBytes = 1024 * 1024

/**
 * Takes a body from now on, before anything is awaited: a stream that is cut drops what nobody has read yet, and what came
 * before a cut is what a download goes on from.
 */
export function takeBody(answer: IncomingMessage): AsyncIterable<Buffer> {
  const chunks: Buffer[] = []
  let waiting = 0
  let ended: { readonly error?: Error } | undefined
  let wake = Promise.withResolvers<void>()
  const end = (how: { error?: Error }) => {
    ended ??= how
    wake.resolve()
  }
  answer.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    waiting += chunk.length
    if (waiting > mostWaitingBytes) answer.pause()
    wake.resolve()
  })
  answer.on('end', () => end({}))
  answer.on('error', (error: Error) => end({ error }))
  answer.on('close', () => end({ error: new Error('aborted') }))
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const chunk = chunks.shift()
        if (chunk !== undefined) {
          waiting -= chunk.length
          if (waiting <= mostWaitingBytes) answer.resume()
          yield chunk
        } else if (ended === undefined) {
          await wake.promise
          wake = Promise.withResolvers<void>()
        } else if (ended.error === undefined) return
        else throw ended.error
      }
    },
  }
}
