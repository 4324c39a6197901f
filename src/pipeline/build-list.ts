import { join } from 'node:path'
import { readText } from '../base/read-file.ts'
import {
  explainBuildFailure,
  parseBuildText,
  type ProjectSource,
  relativePackage,
  type Toolchain,
} from '../go/index.ts'

/**
 * Which modules the packages of a folder are built of, and the lines that prove them.
 * @returns `linked`: 'path version' of those without which nothing builds; the sum files may name more
 * @throws FairwayError BUILD_FAILED when go cannot say
 */
export async function describeBuildList(
  { source }: ProjectSource,
  toolchain: Toolchain,
): Promise<{ goSum: string; linked: ReadonlySet<string> }> {
  const linked = new Set<string>()
  const sums = [join(source.folder, 'go.work.sum'), ...source.modules.map(({ folder }) => join(folder, 'go.sum'))]
  for (const { folder } of source.modules) {
    const format = '{{with .Module}}{{if .Replace}}{{.Replace.Path}} {{.Replace.Version}}{{else}}{{.Path}} {{.Version}}{{end}}{{end}}' // prettier-ignore
    const listed = await toolchain.run(['list', '-deps', '-f', format, './...'], { cwd: folder })
    if (listed.exitCode !== 0) {
      const findings = parseBuildText(listed.stderr, { cwd: folder, folder: source.folder })
      throw explainBuildFailure(findings, `the packages of ${relativePackage(source.folder, folder)}`)
    }
    for (const line of listed.stdout.split('\n')) if (/^\S+ v\S+$/.test(line)) linked.add(line)
  }
  const texts = await Promise.all(sums.map((path) => readText(path).catch(() => '')))
  return { goSum: texts.join('\n'), linked }
}
