import { type Document, isMap, isScalar, parseDocument } from 'yaml'
import { FairwayError } from '../base/error.ts'
import { parseProjectFile } from './project-file.ts'

/** A line to be written: ['services', 'web', 'build'], './cmd/web'. */
export interface Line {
  readonly path: readonly string[]
  readonly value: unknown
}

export interface WrittenDown {
  readonly text: string
  /** What was not there before. */
  readonly added: readonly Line[]
  /** What a person wrote otherwise: it stays. */
  readonly kept: readonly (Line & { readonly written: unknown })[]
}

/**
 * Adds lines to fairway.yaml and changes none: comments, order and what is said already stay.
 * @param text empty where there is no file yet
 * @throws FairwayError CONFIG_INVALID when the file is not valid, or a line has no place in it (behind an alias)
 */
export function writeDown(text: string, lines: readonly Line[]): WrittenDown {
  parseProjectFile(text)
  const document = parseDocument(text)
  const added: Line[] = []
  const kept: (Line & { written: unknown })[] = []
  for (const line of lines) {
    const [written, isThere] = find(document, line.path)
    if (!isThere) {
      put(document, line)
      added.push(line)
    } else if (JSON.stringify(written) !== JSON.stringify(line.value)) kept.push({ ...line, written })
  }
  if (added.length === 0) return { text, added, kept }
  const result = document.toString({ lineWidth: 0, flowCollectionPadding: true })
  parseProjectFile(result)
  return { text: result, added, kept }
}

function find(document: Document, path: readonly string[]): [value: unknown, isThere: boolean] {
  if (!document.hasIn(path)) return [undefined, false]
  const plain: unknown = document.toJS()
  const value = path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null ? Object.entries(at).find(([name]) => name === key)?.[1] : undefined,
    plain,
  )
  return [value, true]
}

function put(document: Document, { path, value }: Line): void {
  const what = path.join('.')
  for (let length = 0; length < path.length; length += 1) {
    const above = path.slice(0, length)
    const node = length === 0 ? document.contents : document.getIn(above, true)
    if (isMap(node)) continue
    // `web:` with nothing behind it
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) {
      if (length === 0) document.contents = document.createNode({})
      else document.setIn(above, document.createNode({}))
      continue
    }
    throw new FairwayError(
      'CONFIG_INVALID',
      `fairway.yaml: ${what} has no place: ${above.join('.')} is no mapping of its own`,
      {
        hint: `Write it by hand: ${what}: ${JSON.stringify(value)}`,
      },
    )
  }
  document.setIn(path, document.createNode(value, { flow: true }))
}

/** The lines of both, '- ' before what goes and '+ ' before what comes, three around each change. Pure. */
export function lineDiff(before: string, after: string): string[] {
  const [a, b] = [before, after].map((text) =>
    text.split('\n').slice(0, text.endsWith('\n') || text === '' ? -1 : undefined),
  )
  const marked = compareLines(a ?? [], b ?? [])
  const isNear = (index: number) =>
    marked.slice(Math.max(0, index - 3), index + 4).some((line) => !line.startsWith('  '))
  return marked.filter((_, index) => isNear(index))
}

function compareLines(a: readonly string[], b: readonly string[]): string[] {
  // longest[i][j]: how many lines the rests from i and from j have in common
  const longest = Array.from({ length: a.length + 1 }, () => Array.from({ length: b.length + 1 }, () => 0))
  const at = (i: number, j: number) => longest[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const row = longest[i] ?? []
    for (let j = b.length - 1; j >= 0; j -= 1)
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  }
  const lines: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`  ${a[i]}`)
      i += 1
      j += 1
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) lines.push(`- ${a[(i += 1) - 1]}`)
    else lines.push(`+ ${b[(j += 1) - 1]}`)
  }
  return lines
}
