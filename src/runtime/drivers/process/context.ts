import type { Clock } from '../../../base/clock.ts'
import type { InstanceNetworks } from '../../../host/index.ts'
import type { Cgroups } from './cgroup.ts'

/** What the driver works with, found once when it is opened. */
export interface ProcessContext {
  /**
   * Records, status, secret files: void after a boot and best on a tmpfs. Instances with a user of their own must be able
   * to enter it.
   */
  readonly runFolder: string
  readonly logFolder: string
  readonly bootId: string
  readonly clock: Clock
  readonly procRoot: string
  readonly cgroups: Cgroups
  /** What each log file may hold on disk. */
  readonly logCapBytes: number
  /** Where util-linux lies. */
  readonly tools: {
    readonly setsid: string
    readonly setpriv: string
    readonly fallocate: string
    readonly unshare: string
    readonly nsenter: string
  }
  /** undefined: no instance gets a network of its own. */
  readonly networks?: InstanceNetworks | undefined
  /** Plain sentences, each once. */
  readonly warn: (message: string) => void
}
