import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'

/** Whom a signed note is believed: a name and its Ed25519 key. */
export interface VerifierKey {
  /** 'sum.golang.org' */
  readonly name: string
  /** The first four bytes of sha256(name, newline, algorithm, key). */
  readonly hash: Buffer
  readonly key: KeyObject
}

const ed25519 = 0x01
/** SubjectPublicKeyInfo of an Ed25519 key, up to the key itself: RFC 8410, section 4. */
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * 'NAME+8 hex digits+base64': as GOSUMDB holds it. undefined for what is none, or whose digits are another key's.
 * @see golang.org/x/mod/sumdb/note
 */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const [, name = '', digits = '', base64 = ''] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (name === '' || bytes.length !== 33 || bytes[0] !== ed25519 || bytes.toString('base64') !== base64)
    return undefined
  const keyHash = hashKey(name, bytes)
  if (keyHash.toString('hex') !== digits) return undefined
  const key = createPublicKey({ key: Buffer.concat([spkiHead, bytes.subarray(1)]), format: 'der', type: 'spki' })
  return { name, hash: keyHash, key }
}

/** @param key the algorithm's byte and the key */
export function hashKey(name: string, key: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), key]), 'buffer').subarray(0, 4)
}

export type OpenedNote = { readonly text: string } | { readonly fault: string }

/** More than anybody signs with. */
const mostSignatures = 100

/** The text, if this key signed it; other signers are passed over. */
export function openNote(note: Buffer, { name, hash: keyHash, key }: VerifierKey): OpenedNote {
  const whole = note.toString('utf8')
  if (Buffer.compare(Buffer.from(whole), note) !== 0) return { fault: 'the note is not valid UTF-8' }
  // oxlint-disable-next-line no-control-regex -- control bytes are what is looked for
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) return { fault: 'the note holds control characters' }
  const border = whole.lastIndexOf('\n\n')
  if (border < 0 || !whole.endsWith('\n')) return { fault: 'the note has no signatures' }
  const text = whole.slice(0, border + 1) // the signature covers the last newline, not the empty line
  const lines = whole.slice(border + 2, -1).split('\n')
  if (lines.length > mostSignatures) return { fault: `the note has more than ${mostSignatures} signatures` }
  let signed = false
  for (const line of lines) {
    const [, signer, base64 = ''] = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? []
    const bytes = Buffer.from(base64, 'base64')
    if (signer === undefined || bytes.length < 5) return { fault: 'the note has a line that is no signature' }
    if (signer !== name || !bytes.subarray(0, 4).equals(keyHash)) continue
    if (!verify(null, Buffer.from(text), key, bytes.subarray(4)))
      return { fault: `the signature of ${name} is not right` }
    signed = true
  }
  return signed ? { text } : { fault: `it is not signed by ${name}` }
}
