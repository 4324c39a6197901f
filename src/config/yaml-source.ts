import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml'

/** A finding with its place: 'fairway.yaml:4:5: unknown key `instnces`; did you mean `instances`?' */
export interface Finding {
  readonly line: number
  readonly column: number
  readonly message: string
}

export type Path = readonly (string | number)[]

const maxNodes = 20_000
const maxDepth = 32
const deepRule = `nested more than ${maxDepth} levels deep`

/**
 * YAML with the place of every part. Plain values come out by our own walk: the library's own check for duplicate keys
 * takes seconds on a file of 10,000, and its conversion knows no places.
 */
export class YamlSource {
  readonly value: unknown
  /** Of the syntax and of this subset: duplicate keys, tags, keys that are not words, anchors that multiply. */
  readonly findings: readonly Finding[]
  readonly #document: Document
  readonly #lines = new LineCounter()

  constructor(text: string) {
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
      // Tags are no part of fairway.yaml: `!!binary` and its like are refused as unknown.
      resolveKnownTags: false,
    })
    this.#document = document
    const errors = [...document.errors, ...document.warnings]
    // The rest of what it says then follows from this one.
    const tooDeep = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION')
    const findings: Finding[] =
      tooDeep === undefined
        ? errors.map((error) => this.#finding(error.pos[0], tidy(error.message)))
        : [this.#finding(tooDeep.pos[0], deepRule)]
    if (findings.length === 0) {
      const walk = new Walk(document, (offset, message) => findings.push(this.#finding(offset, message)))
      this.value = walk.run()
    }
    this.findings = findings
  }

  /** Where a path stands, or the deepest part of it that exists; with `key`, where that key of it stands. */
  locate(path: Path, key?: string): { line: number; column: number } {
    let node = this.#resolve(this.#document.contents)
    let offset = node?.range?.[0] ?? 0
    for (const step of key === undefined ? path : [...path, key]) {
      if (isMap(node)) {
        const pair = findPair(node, step)
        if (pair === undefined) break
        // A key's own place says more than where its value begins, often on the next line.
        offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset
        node = this.#resolve(pair.value)
      } else if (isSeq(node) && typeof step === 'number') {
        const item = node.items[step]
        if (isNode(item)) offset = item.range?.[0] ?? offset
        node = this.#resolve(item)
      } else break
    }
    return this.#place(offset)
  }

  /** Whether all of the path is written, an alias counting for what it stands for. */
  has(path: Path): boolean {
    let node = this.#resolve(this.#document.contents)
    return path.every((step) => {
      const pair = isMap(node) ? findPair(node, step) : undefined
      node = this.#resolve(pair?.value)
      return pair !== undefined
    })
  }

  /** A scalar as it is written: `1.10`, which as a number is 1.1. */
  written(path: Path): string | undefined {
    let node = this.#resolve(this.#document.contents)
    for (const step of path) node = this.#resolve(isMap(node) ? findPair(node, step)?.value : undefined)
    return isScalar(node) ? node.source : undefined
  }

  #resolve(node: unknown): Node | undefined {
    const target = isAlias(node) ? node.resolve(this.#document) : node
    return isNode(target) ? target : undefined
  }

  #place(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  #finding(offset: number, message: string): Finding {
    return { ...this.#place(offset), message }
  }
}

/** One pass from nodes to plain values; bounded, so that anchors which multiply end at once. */
class Walk {
  readonly #document: Document
  readonly #report: (offset: number, message: string) => void
  #nodes = 0
  #tooMany = false

  constructor(document: Document, report: (offset: number, message: string) => void) {
    this.#document = document
    this.#report = report
  }

  run(): unknown {
    return this.#value(this.#document.contents, 0)
  }

  #value(node: unknown, depth: number): unknown {
    if (!isNode(node) || this.#tooMany) return null
    const offset = node.range?.[0] ?? 0
    this.#nodes += 1
    if (this.#nodes > maxNodes || depth > maxDepth) {
      this.#tooMany = true
      this.#report(offset, depth > maxDepth ? deepRule : `more than ${maxNodes} values, anchors expanded`)
      return null
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document)
      if (target === undefined) this.#report(offset, `\`*${node.source}\` has no anchor \`&${node.source}\` before it`)
      return this.#value(target, depth + 1)
    }
    if (isSeq(node)) return node.items.map((item) => this.#value(item, depth + 1))
    if (isMap(node)) return this.#map(node, depth)
    return isScalar(node) ? node.value : null
  }

  #map(node: YAMLMap, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    for (const pair of node.items) {
      const offset = (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? node.range?.[0] ?? 0
      const key = keyText(pair.key)
      if (key === undefined || key === '__proto__') this.#report(offset, 'a key must be a plain word')
      else if (Object.hasOwn(result, key)) this.#report(offset, `duplicate key \`${key}\`: it stands above already`)
      else result[key] = this.#value(pair.value, depth + 1)
    }
    return result
  }
}

function keyText(key: unknown): string | undefined {
  const value = isScalar(key) ? key.value : key
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined
}

function findPair(map: YAMLMap, step: string | number) {
  return map.items.find((pair) => isPair(pair) && keyText(pair.key) === String(step))
}

/** The library's sentences, as ours are. */
function tidy(message: string): string {
  if (message.startsWith('Source contains multiple documents')) return 'a second document begins here, one was expected'
  return message.charAt(0).toLowerCase() + message.slice(1)
}
