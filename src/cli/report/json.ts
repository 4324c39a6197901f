import type { Reporter } from './reporter.ts'

/** Every line an event, the last one the result. */
export function jsonReporter(stdout: NodeJS.WritableStream): Reporter {
  const line = (value: object) => void stdout.write(`${JSON.stringify(value)}\n`)
  return { event: line, result: line, close: () => {} }
}
