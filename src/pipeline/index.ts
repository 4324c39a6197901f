export { buildServices, type BuiltService, locateServices, type OpenedSource, openSource } from './deliver.ts'
export {
  creationTime,
  describeBuilt,
  type ImageOptions,
  makeImages,
  sbomFormats,
  type SbomFormat,
  type ServiceImage,
} from './images.ts'
