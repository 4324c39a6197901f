export {
  escapeText,
  findPackageFault,
  findVersionFault,
  isQuery,
  type ModuleVersion,
  splitPathMajor,
  unescapePath,
  unescapeVersion,
} from './module-path.ts'
export { compareVersions, isCanonicalVersion, latestVersion, majorVersion, parsePseudoVersion } from './semver.ts'
export { readRetractions, type Retractions } from './retractions.ts'
export { hashFiles, hashGoMod } from './h1.ts'
export { readModuleZip, readZipEntries } from './module-zip.ts'
export { ZipHandler, type ZipSums } from './zip-handler.ts'
export type { ZipEntry } from './zip-directory.ts'
export { ChecksumDatabase, type ChecksumStore, type ReadRemote } from './checksum-database.ts'
export type { ModuleHashes } from './checksum-record.ts'
export { openChecksumStore } from './checksum-store.ts'
export { parseTilePath } from './tree.ts'
export { readAnswer, type SourceAnswer } from './answer.ts'
export { download } from './download.ts'
export { HttpClient } from './http.ts'
export { ModuleSources, parseInfo } from './module-sources.ts'
export {
  type ChecksumSource,
  isUnrecorded,
  matchesPatterns,
  type ModuleSource,
  type ModuleVariables,
  parseChecksumSource,
  parseSources,
  storeFirst,
} from './settings.ts'
export { findModules, type ModuleAccess, openModuleAccess, type PossibleModule } from './module-access.ts'
