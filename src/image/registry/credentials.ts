import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../../base/bounds.ts'
import { errnoOf, FairwayError } from '../../base/error.ts'
import { exec } from '../../base/exec.ts'
import { Secret } from '../../base/secret.ts'

/** What is shown to a registry, or to the server that gives out its tokens. */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret }
  /** OAuth2's refresh token. */
  | { readonly kind: 'identity-token'; readonly token: Secret }
  /** A token for the registry itself: there is nobody to ask. */
  | { readonly kind: 'registry-token'; readonly token: Secret }

/**
 * Docker's own: what `docker login` wrote to config.json, or a helper of it knows.
 * @param registry 'registry.example.com:5000'
 * @returns undefined where none are kept for it
 * @throws FairwayError REGISTRY_DENIED when the file cannot be read, or the helper fails
 */
export async function readCredentials(
  registry: string,
  { environment, signal }: Abortable & { environment: Readonly<Record<string, string | undefined>> },
): Promise<Credentials | undefined> {
  const { DOCKER_CONFIG = '', HOME = '/' } = environment
  const path = join(DOCKER_CONFIG === '' ? join(HOME, '.docker') : DOCKER_CONFIG, 'config.json')
  const config = await readConfig(path)
  const helper = wordOf(recordOf(config['credHelpers']), registry) ?? wordOf(config, 'credsStore')
  if (helper !== undefined) {
    const known = await askHelper(helper, registry, { environment, signal })
    if (known !== undefined) return known
  }
  // Older Docker wrote keys as addresses: https://HOST/v1/.
  const auths = recordOf(config['auths'])
  const key = Object.keys(auths).find((one) => one.replace(/^https?:\/\//, '').replace(/\/.*$/, '') === registry)
  return key === undefined ? undefined : fromEntry(recordOf(auths[key]), path, key)
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return {}
    throw unreadable(path, errno ?? 'it cannot be read')
  }
  try {
    return recordOf(JSON.parse(text))
  } catch {
    throw unreadable(path, 'it is not JSON') // without its text: passwords stand in it
  }
}

function unreadable(path: string, why: string): FairwayError {
  return new FairwayError('REGISTRY_DENIED', `The credentials in ${path} cannot be used: ${why}`, {
    hint: 'Mend the file or write it anew with `docker login REGISTRY`; DOCKER_CONFIG names another folder.',
  })
}

function fromEntry(entry: Record<string, unknown>, path: string, key: string): Credentials | undefined {
  const identity = wordOf(entry, 'identitytoken')
  if (identity !== undefined) return { kind: 'identity-token', token: new Secret(identity) }
  const registryToken = wordOf(entry, 'registrytoken')
  if (registryToken !== undefined) return { kind: 'registry-token', token: new Secret(registryToken) }
  const [user, password] = [wordOf(entry, 'username'), wordOf(entry, 'password')]
  if (user !== undefined && password !== undefined) return { kind: 'password', user, password: new Secret(password) }
  const auth = wordOf(entry, 'auth')
  if (auth === undefined) return undefined
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 0) throw unreadable(path, `\`auth\` of ${key} is not USER:PASSWORD in base64`)
  return {
    kind: 'password',
    user: text.slice(0, colon),
    password: new Secret(text.slice(colon + 1).replace(/\0+$/, '')),
  }
}

/** @see docker-credential-helpers: the registry's address on stdin, JSON on stdout */
async function askHelper(
  helper: string,
  registry: string,
  { environment, signal }: Abortable & { environment: Readonly<Record<string, string | undefined>> },
): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper)) throw helperFailed(helper, 'its name is no word')
  const env = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const program = await findProgram(`docker-credential-${helper}`, environment)
  const result = await exec([program, 'get'], {
    env,
    stdin: registry,
    signal,
    deadlineMs: 30_000,
    maxOutputBytes: 65_536,
  })
  if (result.exitCode !== 0) {
    // The helpers of every system say it with these words.
    if (/credentials not found/i.test(result.stdout + result.stderr)) return undefined
    throw helperFailed(helper, `it ended with ${result.exitCode ?? result.signal}`)
  }
  let answer: Record<string, unknown>
  try {
    answer = recordOf(JSON.parse(result.stdout))
  } catch {
    throw helperFailed(helper, 'its answer is not JSON')
  }
  const [user, secret] = [wordOf(answer, 'Username'), wordOf(answer, 'Secret')]
  if (user === undefined || secret === undefined) return undefined
  if (user === '<token>') return { kind: 'identity-token', token: new Secret(secret) }
  return { kind: 'password', user, password: new Secret(secret) }
}

/** On the caller's own PATH, which is not this process's. */
async function findProgram(name: string, { PATH = '' }: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { access, constants } = await import('node:fs/promises')
  for (const folder of PATH.split(':').filter((each) => each.startsWith('/'))) {
    try {
      await access(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch {
      // the next one
    }
  }
  throw helperFailed(name.replace('docker-credential-', ''), `${name} is not on the PATH`)
}

function helperFailed(helper: string, why: string): FairwayError {
  return new FairwayError(
    'REGISTRY_DENIED',
    `The credential helper ${JSON.stringify(helper)} of Docker’s config.json gives nothing: ${why}`,
    {
      hint: 'Log in again with `docker login REGISTRY`, or take the helper out of config.json.',
    },
  )
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

/** A text that says something. */
function wordOf(record: Record<string, unknown>, key: string): string | undefined {
  const value = Object.hasOwn(record, key) ? record[key] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}
