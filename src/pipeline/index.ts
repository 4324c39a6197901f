export { buildServices, type BuiltService, locateServices, type OpenedSource, openSource } from './deliver.ts'
export { type ExplainedService, explainServices } from './explain.ts'
