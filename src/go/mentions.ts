import { join, resolve } from 'node:path'
import { readText } from '../base/read-file.ts'
import { type BuildLine, parseRecorded, type Recorded } from './build-lines.ts'

/** How much a mention says: 3 it is what is started where it runs; 2 an image is made of it; 1 it is built or released. */
export interface Mention {
  readonly weight: 1 | 2 | 3
  /** 'Dockerfile:20 starts it' */
  readonly why: string
}

/** What a candidate is found by. */
export interface Mentionable {
  /** Absolute. */
  readonly folder: string
  readonly importPath: string
}

const recordedIn = [
  'Procfile', 'Dockerfile', 'Containerfile', 'build/Dockerfile', 'build/package/Dockerfile', 'docker/Dockerfile',
  'deploy/Dockerfile', 'deployments/Dockerfile', 'deployment/Dockerfile', '.docker/Dockerfile', '.ko.yaml', '.ko.yml',
  '.goreleaser.yaml', '.goreleaser.yml', 'goreleaser.yaml', 'goreleaser.yml', 'Makefile', 'makefile', 'GNUmakefile',
] // prettier-ignore

/** A file's records; the folder its paths begin at is the project's. */
export async function readRecorded(folder: string): Promise<ReadonlyMap<string, Recorded>> {
  const found = new Map<string, Recorded>()
  const texts = await Promise.all(
    recordedIn.map((name) => readText(join(folder, name)).catch(() => undefined)), // most are not there
  )
  for (const [index, text] of texts.entries()) {
    const name = recordedIn[index] ?? ''
    if (text !== undefined) found.set(name, parseRecorded(name, text.slice(0, 256 * 1024)))
  }
  return found
}

/** The strongest mention of each candidate, by its folder. Pure. */
export function findMentions(
  folder: string,
  candidates: readonly Mentionable[],
  recorded: ReadonlyMap<string, Recorded>,
): ReadonlyMap<string, Mention> {
  const found = new Map<string, Mention>()
  const note = (candidate: Mentionable | undefined, mention: Mention) => {
    if (candidate === undefined || (found.get(candidate.folder)?.weight ?? 0) >= mention.weight) return
    found.set(candidate.folder, mention)
  }
  const byPackage = (path: string) => candidates.find((candidate) => isPackage(path, candidate, folder))
  const everywhere = [...recorded.values()].flatMap(({ builds }) => builds)
  for (const [name, { builds, starts }] of recorded) {
    const isImage = /Dockerfile|Containerfile|ko\.ya?ml/.test(name)
    for (const build of builds) {
      for (const path of build.packages) {
        note(byPackage(path), { weight: isImage ? 2 : 1, why: `${build.where} builds it` })
      }
    }
    for (const { where, binary } of starts) {
      // A file's own build of that name first; else a folder that is called so.
      const built = [...builds, ...everywhere].flatMap((line) => (isCalled(line, binary) ? line.packages : []))
      const named = candidates.filter((candidate) => candidate.folder.split('/').at(-1) === binary)
      const meant =
        built.map(byPackage).find((candidate) => candidate !== undefined) ?? (named.length === 1 ? named[0] : undefined)
      note(meant, { weight: 3, why: `${where} starts it` })
    }
  }
  return found
}

function isCalled(line: BuildLine, binary: string): boolean {
  if (line.binary !== undefined) return line.binary === binary
  return line.packages.some((path) => path.split('/').at(-1) === binary)
}

/**
 * What all who build a main package say of cgo, as long as they agree: they know whether it works without.
 * @returns the place too: 'Dockerfile:12'
 */
export function findRecordedCgo(
  folder: string,
  candidate: Mentionable,
  recorded: ReadonlyMap<string, Recorded>,
): { readonly cgo: boolean; readonly where: string } | undefined {
  const said = [...recorded.values()]
    .flatMap(({ builds }) => builds)
    .filter(({ packages }) => packages.some((path) => isPackage(path, candidate, folder)))
    .flatMap(({ cgo, where }) => (cgo === undefined ? [] : [{ cgo, where }]))
  return said.every(({ cgo }) => cgo === said[0]?.cgo) ? said[0] : undefined
}

function isPackage(path: string, { importPath, folder: place }: Mentionable, folder: string): boolean {
  return path === importPath || (!path.startsWith('/') && resolve(folder, path) === place)
}
