import type { CheckOrder, CheckReport } from './check.ts'
import type { CheckContext } from './run-tests.ts'

export { judgeVulnerabilities, type Waiver } from './vulnerability/gate.ts'
export { checkSource } from './check.ts'
export { junitXml } from './junit.ts'
export type { CheckContext, CheckOrder, CheckReport }
