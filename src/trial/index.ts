export * from './findings.ts'
export { applyFindings, needsTrial } from './apply.ts'
export { describeMissing, renderFindings, serviceLines, summarize } from './render.ts'
export { trial, type TrialOptions, type TrialOutcome, type TrialSubject } from './trial.ts'
