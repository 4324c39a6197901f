export { explainStart, findStarts, linesOfStart, lookAtStarts } from './find-starts.ts'
export {
  buildServices,
  type BuiltService,
  type LocatedService,
  locateServices,
  type OpenedSource,
  openSource,
} from './deliver.ts'
export { type ExplainedService, explainServices, linesOf, withStart } from './explain.ts'
export { describeVerification, type Verifiable, verifyService } from './verify.ts'
export { openGoSource } from './go-source.ts'
export { openSupply } from './supply.ts'
export { isModulePath, parseModuleSource } from './module-source.ts'
export { describeBuildList } from './build-list.ts'
export type { FoundStart } from './find-start.ts'
