export { findInhabitant, hasServices, importsOf, prepareScaffold, writeScaffold } from './scaffold-project.ts'
export type { FormerService, NewService, ScaffoldFile } from './scaffold.ts'
