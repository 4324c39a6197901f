export * from './health.ts'
export { awaitHealthy, type Health } from './probe.ts'
export { diagnose } from './diagnose.ts'
