export { buildServices, type BuiltService, locateServices, type OpenedSource, openSource } from './deliver.ts'
export { openSupply } from './supply.ts'
export { parseModuleSource } from './module-source.ts'
