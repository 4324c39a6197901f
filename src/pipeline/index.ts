export { explainStart, type FoundStart } from './find-start.ts'
export {
  buildServices,
  type BuiltService,
  type LocatedService,
  locateServices,
  type OpenedSource,
  openSource,
} from './deliver.ts'
