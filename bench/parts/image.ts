import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execOk } from '../../src/base/exec.ts'
import { startDockerRegistry } from '../../test/harness/docker-registry.ts'
import { TestFairway } from '../../test/harness/fairway.ts'
import { copyPodinfo } from '../../test/harness/podinfo.ts'
import { commandCost } from '../command.ts'
import { type Figure, median, type Part } from '../figure.ts'

const rounds = 11
const ko = 'github.com/google/ko@v0.19.1'
const launcher = new URL('../../fairway', import.meta.url).pathname

/**
 * Both are asked for an archive of one platform, and nothing has changed since the last one. ko's base is the very one that Fairway makes,
 * in a registry of this machine; ko looks it up there each time, as it always does.
 */
export const part: Part = {
  name: 'image',
  what: `${rounds} × \`fairway image\` and \`ko build\` of podinfo, up to date, into an archive`,
  async measure(say) {
    await using fairway = await TestFairway.create()
    await using registry = await startDockerRegistry()
    const cwd = join(fairway.root, 'podinfo')
    await copyPodinfo(cwd, fairway.env)
    await writeFile(
      join(cwd, 'fairway.yaml'),
      'project: podinfo\nservices: { podinfo: { build: ./cmd/podinfo, listen: none } }\n',
    )
    say(`go install ${ko}`)
    const bin = join(fairway.root, 'bin')
    await mkdir(bin)
    await execOk(['go', 'install', ko], { cwd: fairway.root, env: { ...fairway.env, GOBIN: bin, GOFLAGS: '' } })
    await pushBase(fairway, registry.address)
    const env = {
      ...fairway.env, GOFLAGS: '-ldflags=-w', GOENV: 'off', GOTOOLCHAIN: 'local', CGO_ENABLED: '0', GIT_CEILING_DIRECTORIES: fairway.root,
      KO_DEFAULTBASEIMAGE: `${registry.address}/base:v1`, KO_DOCKER_REPO: `${registry.address}/ko`, KOCACHE: join(fairway.root, 'kocache'),
    } // prettier-ignore
    const theirs = [
      join(bin, 'ko'),
      'build',
      '--push=false',
      '--sbom=none',
      '--platform=linux/amd64',
      `--tarball=${fairway.root}/ko.tar`,
      './cmd/podinfo',
    ]
    const binary = join(fairway.root, 'podinfo.bin')
    await execOk(['go', 'build', '-trimpath', '-ldflags=-w', '-o', binary, './cmd/podinfo'], { cwd, env })
    const output = ['--output', join(fairway.root, 'ours.tar')]
    const ours = {
      binary: [launcher, 'image', '--binary', binary, ...output],
      whole: [launcher, 'image', ...output],
    }
    for (const argv of [theirs, ours.binary, ours.whole, theirs, ours.binary, ours.whole])
      await commandCost(argv, { cwd, env })
    const times: Record<'theirs' | keyof typeof ours, number[]> = { theirs: [], binary: [], whole: [] }
    say('in turns')
    for (let round = 0; round < rounds; round += 1) {
      times.theirs.push((await commandCost(theirs, { cwd, env })).wallMs)
      times.binary.push((await commandCost(ours.binary, { cwd, env })).wallMs)
      times.whole.push((await commandCost(ours.whole, { cwd, env })).wallMs)
    }
    const other = median(times.theirs)
    const figure = (what: string, values: readonly number[], bar: number): Figure => {
      const mine = median(values)
      return {
        figure: `${what} ÷ \`ko build\`, podinfo, nothing changed, no push`,
        measured: (mine / other).toFixed(2),
        bar: `≤ ${bar}`,
        holds: mine / other <= bar,
        detail: `${(mine / 1000).toFixed(2)} ÷ ${(other / 1000).toFixed(2)} s, medians of ${rounds}`,
      }
    }
    return [
      figure('image from a built binary, `fairway image --binary`,', times.binary, 0.5),
      figure('`fairway image`, build included,', times.whole, 1),
    ]
  },
}

/** A base image for ko: that of an image of a program that does nothing. */
async function pushBase(fairway: TestFairway, registry: string): Promise<void> {
  const cwd = join(fairway.root, 'base')
  await mkdir(cwd)
  await writeFile(join(cwd, 'main.go'), 'package main\n\nfunc main() {}\n')
  await writeFile(join(cwd, 'go.mod'), 'module example.com/base\n\ngo 1.21\n')
  await writeFile(join(cwd, 'fairway.yaml'), 'project: base\nservices: { base: { build: ., listen: none } }\n')
  await fairway.ok(['image', '--push', '--no-sbom', '--tag', `${registry}/base:v1`], { cwd })
}
