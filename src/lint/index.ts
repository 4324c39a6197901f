export { lintLayout, type LintReport } from './lint.ts'
export { readTree } from './read-tree.ts'
export { rules } from './rules.ts'
