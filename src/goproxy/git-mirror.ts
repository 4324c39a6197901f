import { createHash } from 'node:crypto'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { FairwayError } from '../base/error.ts'
import { exec, type ExecResult, lastLines } from '../base/exec.ts'
import { withFileLock } from '../base/file-lock.ts'
import { KeyedQueue } from '../base/keyed-queue.ts'
import { makeFolder } from '../base/make-folder.ts'
import { late } from './upstream.ts'
import type { PrivatePlace } from './settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How git reaches repositories as its user set it up; nothing that makes it talk, and no hooks or pagers. */
const passedOn = [
  'PATH', 'HOME', 'USER', 'TMPDIR', 'XDG_CONFIG_HOME', 'SSH_AUTH_SOCK', 'GIT_SSH_COMMAND', 'GIT_SSH', 'GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM',
  'GIT_SSL_CAINFO', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy',
] // prettier-ignore

const fetchDeadlineMs = 600_000
const localDeadlineMs = 120_000

/** A tag or the head of a branch. */
export interface GitRef {
  readonly name: string
  /** Of the commit, also where the tag is an object of its own. */
  readonly commit: string
}

/** A bare copy of one repository under HOME/cache/git: asked here, and brought up to date from there. */
export class GitMirror {
  readonly #folder: string
  readonly #place: PrivatePlace
  readonly #environment: Environment
  readonly #clock: Clock
  readonly #queue = new KeyedQueue()

  constructor({
    cacheFolder,
    place,
    environment,
    clock,
  }: {
    cacheFolder: string
    place: PrivatePlace
    environment: Environment
    clock: Clock
  }) {
    this.#folder = join(cacheFolder, createHash('sha256').update(place.url).digest('hex').slice(0, 24))
    this.#place = place
    this.#environment = environment
    this.#clock = clock
  }

  /**
   * Fetches, unless it was done lately.
   * @throws FairwayError MODULE_UNAVAILABLE with git's own words, never with credentials
   */
  async refresh(maxAgeMs: number, { signal }: Abortable = {}): Promise<void> {
    await this.#queue.run('', async () => {
      const mark = join(this.#folder, 'fairway-fetched')
      const fetchedAt = (await stat(mark).catch(() => undefined))?.mtimeMs
      if (fetchedAt !== undefined && this.#clock.now() - fetchedAt < maxAgeMs) return
      await makeFolder(this.#folder, 0o700)
      await withFileLock(join(this.#folder, 'fairway.lock'), () => this.#fetch(mark, signal), { signal })
    })
  }

  async #fetch(mark: string, signal: AbortSignal | undefined): Promise<void> {
    const isNew = (await stat(join(this.#folder, 'HEAD')).catch(() => undefined)) === undefined
    if (isNew) {
      await this.#run(['init', '--quiet', '--bare', '--', this.#folder], { cwd: '/', signal })
      // As the go command: what an archive holds must not depend on the repository's own wishes.
      await makeFolder(join(this.#folder, 'info'), 0o700)
      await writeFile(join(this.#folder, 'info/attributes'), '\n* -export-subst -export-ignore\n')
    }
    const refs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*', '+HEAD:refs/fairway/head']
    const words = ['fetch', '--quiet', '--force', '--prune', '--no-write-fetch-head', '--', this.#place.url, ...refs]
    const fetched = await this.#run(words, { signal, deadlineMs: fetchDeadlineMs, env: await this.#credentials() })
    if (fetched.exitCode !== 0) throw this.#unavailable(fetched)
    await writeFile(mark, '')
    const now = this.#clock.now() / 1000
    await utimes(mark, now, now)
  }

  async tags(options: Abortable & { mergedInto?: string } = {}): Promise<GitRef[]> {
    const { mergedInto, signal } = options
    const merged = mergedInto === undefined ? [] : [`--merged=${mergedInto}`]
    const format = '--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)'
    const text = await this.#ask(['for-each-ref', format, ...merged, 'refs/tags'], signal)
    return text.split('\n').flatMap((line) => {
      const [name = '', object = '', peeled = ''] = line.split('\0')
      return name === '' ? [] : [{ name, commit: peeled === '' ? object : peeled }]
    })
  }

  /** The whole name of the commit; undefined where there is none. @param ref 'refs/tags/v1.2.3', or the start of a commit's name */
  async commit(ref: string, { signal }: Abortable = {}): Promise<string | undefined> {
    const words = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]
    const { exitCode, stdout } = await this.#run(words, { signal })
    const name = stdout.trim()
    return exitCode === 0 && /^[0-9a-f]{40,64}$/.test(name) ? name : undefined
  }

  /** When it was committed, s since 1970. */
  async commitTime(commit: string, { signal }: Abortable = {}): Promise<number> {
    return Number((await this.#ask(['log', '-1', '--no-show-signature', '--format=%ct', commit], signal)).trim())
  }

  async descends(commit: string, ancestor: string, { signal }: Abortable = {}): Promise<boolean> {
    return (await this.#run(['merge-base', '--is-ancestor', ancestor, commit], { signal })).exitCode === 0
  }

  /** A file as the repository has it; undefined where there is none. */
  async readFile(commit: string, path: string, { signal }: Abortable = {}): Promise<string | undefined> {
    const { exitCode, stdout } = await this.#run(['cat-file', 'blob', `${commit}:${path}`], { signal })
    return exitCode === 0 ? stdout : undefined
  }

  /** A zip of these paths of a commit (none: of all of it); every name begins with 'm/'. */
  async archive(commit: string, paths: readonly string[], path: string, { signal }: Abortable = {}): Promise<void> {
    const words = ['-c', 'core.autocrlf=input', '-c', 'core.eol=lf', 'archive', '--format=zip', '--prefix=m/', `--output=${path}`, commit, '--', ...paths] // prettier-ignore
    await this.#ask(words, signal)
  }

  async #ask(words: readonly string[], signal: AbortSignal | undefined): Promise<string> {
    const result = await this.#run(words, { signal })
    if (result.exitCode !== 0) throw this.#unavailable(result)
    return result.stdout
  }

  async #run(
    words: readonly string[],
    {
      cwd = this.#folder,
      deadlineMs = localDeadlineMs,
      env = {},
      signal,
    }: Abortable & { cwd?: string; deadlineMs?: number; env?: Readonly<Record<string, string>> } = {},
  ): Promise<ExecResult> {
    const given = passedOn.flatMap((key) => {
      const value = this.#environment[key]
      return value === undefined ? [] : [[key, value]]
    })
    const configured = Object.entries(this.#environment).filter(
      (entry): entry is [string, string] =>
        /^GIT_CONFIG_(?:COUNT|KEY_\d+|VALUE_\d+)$/.test(entry[0]) && entry[1] !== undefined,
    )
    try {
      return await exec(['git', ...words], {
        cwd,
        deadlineMs,
        signal,
        maxOutputBytes: 64 * 1024 * 1024,
        env: {
          GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ControlMaster=no',
          ...Object.fromEntries([...given, ...configured]),
          LC_ALL: 'C',
          GIT_TERMINAL_PROMPT: '0', // nobody is there to answer
          GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh',
          ...env,
        },
      })
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof FairwayError)) throw error
      throw new FairwayError('MODULE_UNAVAILABLE', `git could not be asked about ${this.#place.root}`, {
        // Not its words: an argument may hold the address.
        details: error.code === 'COMMAND_TIMEOUT' ? [`it did not end within ${deadlineMs / 1000} s`] : [],
        hint: error.hint,
        ...(error.code === 'COMMAND_TIMEOUT' ? { cause: late } : {}),
      })
    }
  }

  /** By the environment: neither arguments, which everybody may read, nor a file. */
  async #credentials(): Promise<Record<string, string>> {
    const { tokenFile, url } = this.#place
    const origin = URL.parse(url)
    if (tokenFile === undefined || origin === null || !origin.protocol.startsWith('http')) return {}
    let token: string
    try {
      token = (await readFile(tokenFile, 'utf8')).trim()
    } catch (cause) {
      throw new FairwayError('MODULE_UNAVAILABLE', `The token for ${this.#place.root} cannot be read`, {
        hint: `modules.private of HOME/config.yaml names the file ${tokenFile}.`,
        cause,
      })
    }
    const count = Number(this.#environment['GIT_CONFIG_COUNT'] ?? '0')
    const basic = Buffer.from(`${origin.username === '' ? 'oauth2' : origin.username}:${token}`).toString('base64')
    return {
      GIT_CONFIG_COUNT: String(count + 1),
      [`GIT_CONFIG_KEY_${count}`]: `http.${origin.protocol}//${origin.host}/.extraHeader`,
      [`GIT_CONFIG_VALUE_${count}`]: `Authorization: Basic ${basic}`,
    }
  }

  #unavailable({ stderr }: ExecResult): FairwayError {
    const words = lastLines(stderr.trim(), 5).map((line) => line.replaceAll(/\/\/[^\s/@]*@/g, '//'))
    const isMissing = words.some((line) =>
      /not found|does not exist|does not appear to be a git repository/i.test(line),
    )
    const hint =
      'As the control plane’s user, git must be able to fetch it without a question: by its credential helper, ssh-agent or .netrc, or by `tokenFile` in HOME/config.yaml.'
    return new FairwayError(
      isMissing ? 'MODULE_UNKNOWN' : 'MODULE_UNAVAILABLE',
      `The repository of ${this.#place.root} cannot be fetched`,
      { details: words, hint },
    )
  }
}
