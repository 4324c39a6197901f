export { buildServices, type BuiltService, locateServices, type OpenedSource, openSource } from './deliver.ts'
