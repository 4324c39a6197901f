export { type BuildContext, type BuildOrder, buildService, type Built } from './build.ts'
export { type BuildInfo, readBuildInfo } from './build-info.ts'
export { collectFiles } from './collect.ts'
export { findIgnoredFlags } from './caller-flags.ts'
export { checkTargets } from './targets.ts'
export type { Choice, MainCandidate } from './choose.ts'
export {
  type BuildFinding,
  explainBuildFailure,
  explainGoFailure,
  formatFinding,
  parseBuildText,
} from './compiler-output.ts'
export { listOf, parseJsonStream } from './json-stream.ts'
export { ProjectSource, type ServiceSource } from './project-source.ts'
export { findSource, type Module, relativePackage, type Source, within } from './source.ts'
export { withNestedModules } from './nested-modules.ts'
export { findToolchain, type ProcessEnvironment, type Toolchain } from './toolchain.ts'
export { readCommitTime } from './work-tree.ts'
export { type Bill, makeBill } from './sbom/bill.ts'
export { cyclonedxText } from './sbom/cyclonedx.ts'
export { findLicences } from './sbom/find-licences.ts'
export { spdxText } from './sbom/spdx.ts'
export { type DiskRead, findDiskReads, type ReadSource } from './disk-reads.ts'
export { type BuildFact, explainBuild, type Setting, settingText } from './explain.ts'
export { buildFlags } from './flags.ts'
export type { SectionDifference } from './compare-binaries.ts'
export { type Verification, verifyBinary, type VerifyContext } from './verify.ts'
export { compareGoVersions, isGoRelease, languageLine, plainGoVersion } from './version.ts'
export { type ChosenToolchain, GoSupply } from './go-supply.ts'
export { isUnsupported, supportedLines } from './choose-go.ts'
export { type InstalledToolchain, thisMachine } from './toolchain-store.ts'
export { parseGoMod } from './go-mod.ts'
export { choosePruned } from './prune-toolchains.ts'
