import { hash } from 'node:crypto'

/** A file of a module: its name with the `module@version/` before it, and the sha256 of its content, in lower-case hex. */
export interface HashedFile {
  readonly name: string
  readonly sha256: string
}

/**
 * The hash that go.sum and the checksum database hold: of names and contents alone, so that an archive's order, times and
 * modes do not count.
 * @see golang.org/x/mod/sumdb/dirhash: Hash1
 */
export function hashFiles(files: readonly HashedFile[]): string {
  // One character per byte: then the order of text is the order of bytes.
  const lines = files.map(({ name, sha256 }) => ({
    key: Buffer.from(name).toString('latin1'),
    line: `${sha256}  ${name}\n`,
  }))
  lines.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return `h1:${hash('sha256', lines.map(({ line }) => line).join(''), 'base64')}`
}

/** Of a go.mod alone: what stands in go.sum behind `/go.mod`. */
export function hashGoMod(content: Uint8Array): string {
  return hashFiles([{ name: 'go.mod', sha256: hash('sha256', content, 'hex') }])
}

/** 'h1:' and the base64 of 32 bytes. */
export function isH1(text: string): boolean {
  return /^h1:[A-Za-z0-9+/]{43}=$/.test(text)
}
