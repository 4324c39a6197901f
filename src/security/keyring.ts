import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import { Secret } from '../base/secret.ts'

const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

/**
 * The home's key, and what is done with it. Encryption is AES-256-GCM with what the text belongs to as associated data, so
 * that a sealed text moved to another place does not open; fingerprints are HMAC-SHA256. Each has a key of its own, derived
 * from the file's by HKDF: what one gives away says nothing about the other.
 */
export class Keyring {
  readonly #sealing: Uint8Array
  readonly #marking: Uint8Array
  readonly #random: (bytes: number) => Uint8Array
  readonly #path: string
  /** Tells this key from another, and gives nothing of it away. */
  readonly id: string

  constructor(key: Uint8Array, { path, random }: { path: string; random: (bytes: number) => Uint8Array }) {
    const derive = (purpose: string) => new Uint8Array(hkdfSync('sha256', key, '', `fairway ${purpose} 1`, keyBytes))
    this.#sealing = derive('seal')
    this.#marking = derive('fingerprint')
    this.#random = random
    this.#path = path
    this.id = Buffer.from(derive('id')).toString('hex').slice(0, 16)
  }

  /** @param place what it belongs to: it opens only with the same */
  seal(secret: Secret, place: readonly (string | number)[]): Uint8Array {
    const nonce = this.#random(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#sealing, nonce)
    cipher.setAAD(associated(place))
    const text = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()])
    return Buffer.concat([nonce, text, cipher.getAuthTag()])
  }

  /** @throws FairwayError STATE_CORRUPT when it was sealed with another key, for another place, or changed since */
  open(sealed: Uint8Array, place: readonly (string | number)[]): Secret {
    const nonce = sealed.subarray(0, nonceBytes)
    const text = sealed.subarray(nonceBytes, sealed.length - tagBytes)
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#sealing, nonce, { authTagLength: tagBytes })
      decipher.setAAD(associated(place))
      decipher.setAuthTag(sealed.subarray(-tagBytes))
      return new Secret(Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8'))
    } catch (cause) {
      throw new FairwayError('STATE_CORRUPT', `A secret (${place.join('/')}) cannot be decrypted with ${this.#path}`, {
        hint: 'Put back the key file that belongs to this state (it lies beside it in a backup), or set the secret again: fairway secret set.',
        cause,
      })
    }
  }

  /** The same for the same value in this home, and of no use elsewhere: what a release's digest holds of a secret. */
  fingerprint(secret: Secret): string {
    return createHmac('sha256', this.#marking).update(secret.reveal(), 'utf8').digest('hex')
  }
}

function associated(place: readonly (string | number)[]): Buffer {
  return Buffer.from(JSON.stringify(place))
}

/**
 * Reads HOME/key; makes it on first use. Two processes that make it at once end with the same.
 * @param mayCreate false where secrets exist already: a new key could not open them
 * @throws FairwayError STATE_CORRUPT when it is missing or no key, HOME_UNUSABLE when others can read it or it cannot be written
 */
export async function openKeyring(
  home: string,
  { mayCreate, random }: { mayCreate: boolean; random: (bytes: number) => Uint8Array },
): Promise<Keyring> {
  const path = join(home, 'key')
  const key = (await readKey(path)) ?? (mayCreate ? await createKey(path, random) : undefined)
  if (key === undefined) {
    throw new FairwayError('STATE_CORRUPT', `${path} is missing, and secrets were encrypted with it`, {
      hint: 'Put it back from a backup (there it lies beside the state): without it they cannot be read again.',
    })
  }
  return new Keyring(key, { path, random })
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      throw new FairwayError('HOME_UNUSABLE', `${path} can be read by others (mode ${(mode & 0o777).toString(8)})`, {
        hint: `It opens every stored secret: chmod 600 ${path}, and set the secrets anew if somebody else may have read it.`,
      })
    }
    const key = await readFile(path)
    if (key.length === keyBytes) return key
    throw new FairwayError(
      'STATE_CORRUPT',
      `${path} is not a key: ${keyBytes} bytes were expected, it has ${key.length}`,
      {
        hint: 'Put it back from a backup.',
      },
    )
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function createKey(path: string, random: (bytes: number) => Uint8Array): Promise<Uint8Array | undefined> {
  const temporary = `${path}.${Buffer.from(random(6)).toString('hex')}.new`
  try {
    {
      await using file = await open(temporary, 'wx', 0o600)
      await file.writeFile(random(keyBytes))
      await file.sync()
    }
    await link(temporary, path) // unlike rename, it never replaces the key of another who was faster
    await using folder = await open(dirname(path), 'r')
    await folder.sync()
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw explainWriteError(error, path)
  } finally {
    await rm(temporary, { force: true })
  }
  return readKey(path)
}
