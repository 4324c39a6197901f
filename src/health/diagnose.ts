import { rulesOfTheEnd } from './diagnose-end.ts'
import { rulesOfTheLiving } from './diagnose-life.ts'
import { type DiagnosisContext, seconds } from './diagnosis-words.ts'
import type { Diagnosis, Evidence } from './health.ts'

/** A program says what it lacks at the head of a line; the rest of a flood is not searched. */
const readBytes = 2048

/** What became of a start, why, and what to do. Total: any evidence has a diagnosis, `unknown` at worst. */
export function diagnose(whole: Evidence, context: DiagnosisContext): Diagnosis {
  const evidence = { ...whole, lines: whole.lines.map((line) => line.slice(0, readBytes)) }
  for (const rule of evidence.exit === undefined ? rulesOfTheLiving : rulesOfTheEnd) {
    const diagnosis = rule(evidence, context)
    if (diagnosis !== undefined) return diagnosis
  }
  return {
    cause: 'unknown',
    what: `was not healthy within ${seconds(context.livedMs)}`,
    hint: `Look at \`fairway logs ${context.service}\`; a longer start is allowed with \`probe: { deadline: 2m }\`.`,
  }
}
