import { type Target, targetName } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { nearestWord } from '../base/nearest.ts'
import type { Toolchain } from './toolchain.ts'

/** @throws FairwayError USAGE naming the pair this Go does not build for */
export async function checkTargets(
  targets: readonly Target[],
  toolchain: Toolchain,
  { signal }: Abortable = {},
): Promise<void> {
  const { stdout, exitCode } = await toolchain.run(['tool', 'dist', 'list'], { cwd: '/', signal, deadlineMs: 120_000 })
  if (exitCode !== 0) return // the build itself will say it
  const known = stdout.trim().split('\n')
  for (const target of targets) {
    const pair = `${target.os}/${target.arch}`
    if (known.includes(pair)) continue
    const near = nearestWord(pair, known)
    const same = known.filter((each) => each.startsWith(`${target.os}/`) || each.endsWith(`/${target.arch}`))
    throw new FairwayError('USAGE', `Go ${toolchain.version} does not build for ${targetName(target)}`, {
      hint:
        near === undefined
          ? `It builds for ${(same.length > 0 ? same : known).join(', ')}`
          : `Did you mean ${near}? All it knows: go tool dist list`,
    })
  }
}
