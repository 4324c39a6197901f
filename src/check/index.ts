export { type CheckOrder, type CheckReport, checkSource } from './check.ts'
export { junitXml } from './junit.ts'
