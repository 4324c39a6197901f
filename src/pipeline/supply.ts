import type { Abortable } from '../base/bounds.ts'
import { systemClock } from '../base/clock.ts'
import type { Report } from '../base/event.ts'
import { readHomeConfig } from '../config/index.ts'
import { GoSupply, type ProcessEnvironment } from '../go/index.ts'

/** Where Go and modules come from, for this home and environment. */
export function openSupply({
  home,
  processEnvironment,
  report,
  signal,
}: Abortable & { home: string; processEnvironment: ProcessEnvironment; report: Report }): GoSupply {
  return new GoSupply({
    home,
    environment: processEnvironment,
    clock: systemClock,
    report,
    proxy: async () => (await readHomeConfig(home, processEnvironment)).modules?.proxy,
    signal,
  })
}
