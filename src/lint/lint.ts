import type { Remark, Rule, Severity } from './rule.ts'
import { rules } from './rules.ts'
import type { Tree } from './tree.ts'

/** What one rule has to say of a tree. */
export interface LintFinding extends Remark {
  readonly rule: string
  readonly severity: Severity
}

export interface LintReport {
  /** The gravest first, then by rule and place. */
  readonly findings: readonly LintFinding[]
  /** The rules that have something to say. */
  readonly rules: readonly Omit<Rule, 'find'>[]
  /** What a comment `//fairway:allow RULE` keeps back. */
  readonly allowed: number
}

const gravity: Readonly<Record<Severity, number>> = { breaks: 0, hurts: 1, note: 2 }

export function lintLayout(tree: Tree): LintReport {
  const lines = new Map(tree.goFiles.map(({ path, text }) => [path, text.split('\n')]))
  const all = rules
    .toSorted((a, b) => gravity[a.severity] - gravity[b.severity])
    .flatMap(({ id, severity, find }) => find(tree).map((remark): LintFinding => ({ rule: id, severity, ...remark })))
  const findings = all.filter((one) => !isAllowed(one, lines.get(one.file)))
  const said = new Set(findings.map(({ rule }) => rule))
  return {
    findings,
    rules: rules.flatMap(({ id, severity, title, why, remedy }) =>
      said.has(id) ? [{ id, severity, title, why, remedy }] : [],
    ),
    allowed: all.length - findings.length,
  }
}

/** On the line or the one before it: '//fairway:allow exit-in-library the plugin protocol asks for it' */
function isAllowed({ rule, line }: LintFinding, lines: readonly string[] | undefined): boolean {
  return [lines?.[line - 1], lines?.[line - 2]].some((text) => text?.match(/\/\/fairway:allow ([a-z-]+)/)?.[1] === rule)
}
