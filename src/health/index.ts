export * from './health.ts'
export { awaitHealthy, type Health, type ProbeSubject } from './probe.ts'
export { diagnose, type DiagnosisContext } from './diagnose.ts'
