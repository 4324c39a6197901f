import { StringDecoder } from 'node:string_decoder'
import { z } from 'zod'

const testEvent = z.object({
  /** start | run | pause | cont | pass | bench | fail | output | skip | attr, and what a later Go adds. */
  Action: z.string(),
  Package: z.string(),
  Test: z.string().optional(),
  /** In seconds. */
  Elapsed: z.number().optional(),
  Output: z.string().optional(),
  /** The ImportPath of the build events that say why: 'shop/cart [shop/cart.test]'. */
  FailedBuild: z.string().optional(),
  /** Go ≥ 1.27: 'frame' | 'error' */
  OutputType: z.string().optional(),
})
const buildEvent = z.object({
  ImportPath: z.string(),
  /** build-output | build-fail */
  Action: z.string(),
  Output: z.string().optional(),
})

export type TestEvent = z.output<typeof testEvent>
type BuildEvent = z.output<typeof buildEvent>

/** `raw` is the line as it came, so that nothing is lost of what is no event. */
export type TestLine =
  | { readonly kind: 'test'; readonly event: TestEvent; readonly raw: string }
  | { readonly kind: 'build'; readonly event: BuildEvent; readonly raw: string }
  | { readonly kind: 'plain'; readonly raw: string }

/** @see `go doc test2json`, `go help buildjson`: builds are interleaved since Go 1.24, before it they are plain text */
export function parseTestLine(raw: string): TestLine {
  if (!raw.startsWith('{')) return { kind: 'plain', raw }
  let value: unknown
  try {
    value = JSON.parse(raw)
  } catch {
    return { kind: 'plain', raw } // torn, or a program's own
  }
  const test = testEvent.safeParse(value)
  if (test.success) return { kind: 'test', event: test.data, raw }
  const build = buildEvent.safeParse(value)
  return build.success ? { kind: 'build', event: build.data, raw } : { kind: 'plain', raw }
}

/** Lines out of chunks, wherever those are cut: inside a line, inside a character. */
export class LineReader {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  push(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }

  /** What stood behind the last line break. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    return rest === '' ? [] : [rest]
  }
}
