export { buildServices, type BuiltService, chooseServices, type OpenedSource, openSource } from './deliver.ts'
