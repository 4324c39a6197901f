import type { Rule } from './rule.ts'
import { fileRules } from './rules/files.ts'
import { moduleRules } from './rules/modules.ts'
import { packageRules } from './rules/packages.ts'
import { servingRules } from './rules/serving.ts'

/** All there are; docs/lint.md is made of them. */
export const rules: readonly Rule[] = [...fileRules, ...moduleRules, ...packageRules, ...servingRules]
