export * from './scope.ts'
export * from './specification.ts'
export { defaultListenTemplate, fillArguments, listenArguments, listenVariables, namesData } from './listen.ts'
export { canonicalRoute, sameRoute } from './route.ts'
export type { BindAddress } from './address.ts'
export type { GenerateStep, GoSettings } from './go-settings.ts'
export type { HomeConfig, ModuleSettings, PrivateModules } from './home-config.ts'
export * from './address-range.ts'
export { homeDefaults, homeFolder, readHomeConfig } from './home.ts'
export {
  addToProjectFile,
  checkProject,
  findDeclarations,
  jsonSchema,
  loadProject,
  protects,
  readCheckSettings,
  readGoVersion,
  readServiceNames,
  showDifference,
  specificationSchema,
} from './load.ts'
export type { CheckFile } from './schema.ts'
export { type InspectedProject, isStartSaid, type LoadOptions, type Project, type ProjectService } from './project.ts'
export type { SaidKey } from './specify.ts'
export { parseSize, sizeRule } from './measure.ts'
export { diffValues } from './values.ts'
export { checkValue, keyPattern, keyRule } from './value-type.ts'
