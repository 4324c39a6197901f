import { realpath } from 'node:fs/promises'
import type { Abortable } from '../base/bounds.ts'
import type { Report } from '../base/event.ts'
import { readGoVersion } from '../config/index.ts'
import {
  type ChosenToolchain,
  findSource,
  type ProcessEnvironment,
  type Source,
  withNestedModules,
} from '../go/index.ts'
import { openSupply } from './supply.ts'

interface GoSourceOptions extends Abortable {
  readonly folder: string
  readonly home: string
  readonly processEnvironment: ProcessEnvironment
  readonly report: Report
  /** With the modules below another one too: see `withNestedModules`. */
  readonly isNestedWanted?: boolean
}

/** A folder's modules and the Go they ask for, whatever fairway.yaml makes of them. @throws FairwayError SOURCE_NOT_GO, GO_MISSING, CONFIG_INVALID */
export async function openGoSource({
  folder,
  isNestedWanted = false,
  ...options
}: GoSourceOptions): Promise<{ source: Source; toolchain: ChosenToolchain }> {
  const found = await findSource(await realpath(folder))
  const source = isNestedWanted ? await withNestedModules(found) : found
  const pin = await readGoVersion(folder)
  return { source, toolchain: await openSupply(options).choose({ wanted: source.wanted, pin }) }
}
