export { readPrebuilt } from './prebuilt.ts'
export {
  type BuiltBinary,
  creationTime,
  describeBuilt,
  type ImageService,
  type ImageSource,
  makeImages,
  sbomFormats,
  type SbomFormat,
  type ServiceImage,
} from './images.ts'
export { explainStart } from './find-start.ts'
export { findStarts, lookAtStarts } from './find-starts.ts'
export {
  buildServices,
  type BuiltService,
  type LocatedService,
  locateServices,
  type OpenedSource,
  openSource,
} from './deliver.ts'
export { type ExplainedService, explainServices, linesOf } from './explain.ts'
export { describeVerification, type Verifiable, verifyService } from './verify.ts'
export { openGoSource } from './go-source.ts'
export { openSupply } from './supply.ts'
export { parseModuleSource } from './module-source.ts'
export { openHomeModules } from './modules.ts'
export { describeBuildList } from './build-list.ts'
