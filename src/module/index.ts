export {
  escapeText,
  findPackageFault,
  findPathFault,
  findVersionFault,
  isQuery,
  type ModuleVersion,
  splitPathMajor,
  unescapePath,
  unescapeText,
  unescapeVersion,
} from './module-path.ts'
export {
  canonicalVersion,
  compareVersions,
  isCanonicalVersion,
  latestVersion,
  majorVersion,
  parsePseudoVersion,
} from './semver.ts'
export { type HashedFile, hashFiles, hashGoMod, isH1 } from './h1.ts'
export { type ReadZip, readModuleZip, readZipEntries } from './module-zip.ts'
export type { ZipEntry } from './zip-directory.ts'
export { ChecksumDatabase, type ChecksumStore, type ReadRemote } from './checksum-database.ts'
export type { ModuleHashes } from './checksum-record.ts'
export { openChecksumStore } from './checksum-store.ts'
export { parseVerifierKey, type VerifierKey } from './note.ts'
export { parseTilePath, tilePath } from './tree.ts'
export { isPage, readAnswer, type SourceAnswer } from './answer.ts'
export { takeBody } from './body.ts'
export { download, type DownloadProgress } from './download.ts'
export { HttpClient } from './http.ts'
export { ModuleSources, parseInfo, type VersionInfo } from './module-sources.ts'
export {
  type ChecksumSource,
  isPrivate,
  isUnrecorded,
  matchesPatterns,
  type ModuleSource,
  type ModuleVariables,
  parseChecksumSource,
  parseSources,
  storeFirst,
} from './settings.ts'
export { findModules, type ModuleAccess, openModuleAccess, type PossibleModule } from './module-access.ts'
