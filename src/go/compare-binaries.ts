import { open } from 'node:fs/promises'
import { type ElfSection, readAt, readElf } from '../artifact/index.ts'
import { type BuildInfo, readBuildInfo } from './build-info.ts'

/** A part of two binaries that differs. */
export interface SectionDifference {
  /** '.rodata'; 'file' for what are no two ELF files. */
  readonly section: string
  /** What it holds, in words. */
  readonly holds: string
  /** How it differs: 'GOAMD64 is v1, was v3', 'byte 12 of 340: "12:03:04", was "12:01:59"'. */
  readonly how: string
  /** It follows from another one: a build id changes with whatever changed. */
  readonly isConsequence: boolean
}

/** Names what differs between two binaries, the causes first. @returns empty where nothing does */
export async function compareBinaries(was: string, is: string): Promise<SectionDifference[]> {
  const [a, b] = [await readElf(was), await readElf(is)]
  if (a === undefined || b === undefined) {
    const how = await compareRange(was, is, undefined, undefined)
    return how === undefined ? [] : [{ section: 'file', holds: 'no ELF file', how, isConsequence: false }]
  }
  const names = [...new Set([...a.sections, ...b.sections].map(({ name }) => name))]
  const found: SectionDifference[] = []
  for (const name of names) {
    const [one, other] = [a, b].map(({ sections }) => sections.find((section) => section.name === name))
    const how = await compareSection(name, { was, is, one, other })
    if (how !== undefined)
      found.push({ section: name, holds: meaning(name), how, isConsequence: consequences.has(name) })
  }
  return found.sort((x, y) => Number(x.isConsequence) - Number(y.isConsequence))
}

async function compareSection(
  name: string,
  { was, is, one, other }: { was: string; is: string; one: ElfSection | undefined; other: ElfSection | undefined },
): Promise<string | undefined> {
  if (one === undefined) return 'was not there'
  if (other === undefined) return 'is gone'
  const how = await compareRange(was, is, one, other)
  if (how === undefined || name !== '.go.buildinfo') return how
  const [before, after] = [await readBuildInfo(was), await readBuildInfo(is)]
  const settings = before === undefined || after === undefined ? [] : compareBuildInfo(before, after)
  return settings.length === 0 ? how : settings.join('; ')
}

/** What go itself recorded and that is another now: 'GOAMD64 is v1, was v3'. Pure. */
export function compareBuildInfo(was: BuildInfo, is: BuildInfo): string[] {
  const said: string[] = []
  const compare = (what: string, before: string | undefined, after: string | undefined) => {
    if (before !== after) said.push(`${what} is ${after ?? 'absent'}, was ${before ?? 'absent'}`)
  }
  compare('the Go version', was.goVersion, is.goVersion)
  compare('the main package', was.path, is.path)
  compare('the main module’s version', was.main?.version, is.main?.version)
  for (const key of new Set([...was.settings.keys(), ...is.settings.keys()])) {
    compare(key, was.settings.get(key), is.settings.get(key))
  }
  const versions = (info: BuildInfo) =>
    new Map(info.dependencies.map(({ path, version, sum }) => [path, `${version} ${sum ?? ''}`.trim()]))
  const [before, after] = [versions(was), versions(is)]
  for (const path of new Set([...before.keys(), ...after.keys()])) compare(path, before.get(path), after.get(path))
  return said
}

const chunkBytes = 1024 * 1024

/** undefined: nothing differs. Without sections the whole files. */
async function compareRange(
  was: string,
  is: string,
  one: ElfSection | undefined,
  other: ElfSection | undefined,
): Promise<string | undefined> {
  await using before = await open(was, 'r')
  await using after = await open(is, 'r')
  const [sizeBefore, sizeAfter] = [one?.size ?? (await before.stat()).size, other?.size ?? (await after.stat()).size]
  const both = Math.min(sizeBefore, sizeAfter)
  const sizes = sizeBefore === sizeAfter ? '' : `${sizeAfter} bytes, was ${sizeBefore}; `
  for (let at = 0; at < both; at += chunkBytes) {
    const length = Math.min(chunkBytes, both - at)
    const a = await readAt(before, (one?.offset ?? 0) + at, length)
    const b = await readAt(after, (other?.offset ?? 0) + at, length)
    if (a.equals(b)) continue
    const first = a.findIndex((byte, index) => byte !== b[index])
    const words = [a, b].map((data) => readable(data, first))
    const shown = words.every((word) => word.length >= 4)
      ? `: ${JSON.stringify(words[1])}, was ${JSON.stringify(words[0])}`
      : ''
    return `${sizes}byte ${at + first} of ${sizeAfter} is the first to differ${shown}`
  }
  return sizes === '' ? undefined : `${sizes}the rest is the same`
}

/** The text around a byte, up to 24 signs to each side; empty where there is none. */
function readable(data: Buffer, at: number): string {
  const isText = (byte: number | undefined) => byte !== undefined && byte >= 0x20 && byte < 0x7f
  let [begin, end] = [at, at]
  while (begin > 0 && at - begin < 24 && isText(data[begin - 1])) begin -= 1
  while (end < data.length && end - at < 24 && isText(data[end])) end += 1
  return data.subarray(begin, end).toString('latin1')
}

const consequences = new Set(['.note.go.buildid', '.note.gnu.build-id', '.gnu_debuglink', '.shstrtab'])

function meaning(name: string): string {
  const meanings: Readonly<Record<string, string>> = {
    '.text': 'the code',
    '.rodata': 'constants: strings, embedded files, tables',
    '.data': 'variables with a value',
    '.noptrdata': 'variables with a value, without pointers',
    '.go.buildinfo': 'what go recorded: version, modules, settings',
    '.gopclntab': 'functions, files and lines',
    '.itab': 'tables of interfaces',
    '.typelink': 'types',
    '.symtab': 'symbols',
    '.strtab': 'names of symbols',
    '.note.go.buildid': 'go’s id of the build',
    '.note.gnu.build-id': 'the linker’s id of the build',
    '.comment': 'the C compiler’s name',
    '.interp': 'the dynamic linker',
    '.dynamic': 'the shared libraries',
  }
  return (
    meanings[name] ?? (name.startsWith('.debug') || name.startsWith('.zdebug') ? 'data for a debugger' : 'other data')
  )
}
