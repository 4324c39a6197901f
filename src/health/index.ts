export * from './health.ts'
export { awaitHealthy, type Health, type ProbeSubject } from './probe.ts'
export { diagnose } from './diagnose.ts'
export type { DiagnosisContext } from './diagnosis-words.ts'
