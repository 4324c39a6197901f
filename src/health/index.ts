export * from './health.ts'
export { awaitHealthy, type Health } from './probe.ts'
export { diagnose } from './diagnose.ts'
/** What programs print when they cannot start: also read where one is merely tried out. */
export { findMissingFile, findMissingValues, findPermission, findUnknownFlag, findUsage } from './output-clues.ts'
export { findComplaint } from './missing-values.ts'
