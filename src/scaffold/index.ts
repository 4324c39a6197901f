export { findInhabitant, importsOf, prepareScaffold, writeScaffold } from './scaffold-project.ts'
export type { NewService, ScaffoldFile } from './scaffold.ts'
