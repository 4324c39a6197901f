import { relative } from 'node:path'

/** Where in the module's own code. */
export interface Place {
  /** Absolute. */
  readonly file: string
  readonly line: number
}

/** What ended a test's process, or what the race detector saw. */
export interface FailureSign {
  readonly kind: 'panic' | 'timeout' | 'race' | 'deadlock' | 'fatal'
  /** 'panic: runtime error: index out of range [5] with length 0' */
  readonly message: string
  /** The innermost frame of the module's own; of a race, each of both accesses. */
  readonly places: readonly Place[]
}

const heads: readonly (readonly [FailureSign['kind'], RegExp])[] = [
  ['timeout', /^\s*(panic: test timed out after \S+)/],
  ['panic', /^\s*(panic: .*?)(?: \[recovered(?:, repanicked)?\])?$/],
  ['deadlock', /^\s*(fatal error: all goroutines are asleep - deadlock!)/],
  ['fatal', /^\s*(fatal error: .*)/],
]

/** A panic before a race: it is what ended the process. @param output lines of a package, its tests' first */
export function findFailureSign(output: readonly string[], moduleFolder: string): FailureSign | undefined {
  for (const [kind, pattern] of heads) {
    // A program may print the word itself: what ends it is followed by its stacks.
    const isEnd = (index: number) => kind === 'deadlock' || kind === 'fatal' || output.slice(index, index + 200).some((line) => /^goroutine [0-9]+ /.test(line)) // prettier-ignore
    const at = output.findIndex((line, index) => pattern.test(line) && isEnd(index))
    if (at < 0) continue
    const message = pattern.exec(output[at] ?? '')?.[1] ?? ''
    const place = firstPlace(output.slice(at + 1), moduleFolder)
    return { kind, message, places: place === undefined ? [] : [place] }
  }
  const race = output.findIndex((line) => line.trim() === 'WARNING: DATA RACE')
  if (race < 0) return undefined
  const end = output.findIndex((line, index) => index > race && /^={18}$/.test(line.trim()))
  return { kind: 'race', message: 'data race', places: racePlaces(output.slice(race + 1, end < 0 ? undefined : end), moduleFolder) } // prettier-ignore
}

/** 'Read at 0x… by goroutine 8:' and 'Previous write at …', each with a stack of its own. */
function racePlaces(block: readonly string[], moduleFolder: string): Place[] {
  const places: Place[] = []
  for (const [index, line] of block.entries()) {
    if (!/^\s*(?:Previous )?(?:atomic )?(?:read|write) at 0x/i.test(line)) continue
    const rest = block.slice(index + 1)
    const end = rest.findIndex((each) => each.trim() === '')
    const place = firstPlace(end < 0 ? rest : rest.slice(0, end), moduleFolder)
    if (place !== undefined) places.push(place)
  }
  return places
}

/** The first frame below the module's folder, vendored code left out: '\t/src/shop/cart.go:12 +0x1d' */
function firstPlace(lines: readonly string[], moduleFolder: string): Place | undefined {
  for (const line of lines) {
    const [, file, row] = /^\s+(\/.*\.go):([0-9]+)(?: \+0x[0-9a-f]+)?$/.exec(line) ?? []
    if (file === undefined) continue
    const path = relative(moduleFolder, file)
    if (!path.startsWith('..') && !/(?:^|\/)vendor\//.test(path)) return { file, line: Number(row) }
  }
  return undefined
}

/**
 * Lines that may be where a test failed, in order: 'cart_test.go:12: got 3', testify's 'Error Trace:'. `t.Log` looks the same, so
 * whoever has the source chooses among them.
 * @returns files as printed: relative to the package's folder, or absolute
 */
export function failureLines(output: readonly string[]): { file: string; line: number; message: string }[] {
  return output.flatMap((text, index) => {
    const [, traced, tracedLine] = /^\s*Error Trace:\s+(\S+\.go):([0-9]+)/.exec(text) ?? []
    if (traced !== undefined) {
      const error = output.slice(index + 1, index + 8).find((line) => /^\s*Error:/.test(line)) ?? ''
      return [{ file: traced, line: Number(tracedLine), message: error.replace(/^\s*Error:\s*/, '').trim() }]
    }
    const [, file, line, message] = /^\s{4,}([^\s:]+\.go):([0-9]+):(?: (.*)| *)$/.exec(text) ?? []
    // testing itself says that it saw a race; testify's block begins with an empty message.
    if (file === undefined || file === 'testing.go') return []
    return [{ file, line: Number(line), message: (message ?? '').trim() }]
  })
}
