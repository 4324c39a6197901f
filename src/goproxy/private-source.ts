import type { Abortable } from '../base/bounds.ts'
import type { ModuleVersion } from '../module/index.ts'

/** Modules that no upstream has: made of a repository, as the go command would. */
export interface PrivateSource {
  list(path: string, options?: Abortable): Promise<string[]>
  /** What 'latest', a branch, a tag or a commit stands for; for a canonical version, that it is one. */
  info(path: string, query: string, options?: Abortable): Promise<Buffer>
  goMod(module: ModuleVersion, options?: Abortable): Promise<Buffer>
  /** Into a new file. */
  zip(module: ModuleVersion, path: string, options?: Abortable): Promise<void>
}
