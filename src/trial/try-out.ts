import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { Masker } from '../base/masker.ts'
import type { Secret } from '../base/secret.ts'
import { fillArguments, namesData } from '../config/index.ts'
import { blockedFolder } from '../runtime/index.ts'
import { decide } from './decide.ts'
import type { Findings } from './findings.ts'
import type { Known } from './known.ts'
import type { Observation, TryPlan } from './observation.ts'
import { Sandbox, type SandboxUser, trialUser } from './sandbox/sandbox.ts'
import { makeTrialFolder, removeTrialFolder } from './trial-folder.ts'
import { WorkPlace } from './work-place.ts'

export interface TrialOrder {
  readonly known: Known
  /** The binary's file. */
  readonly binary: string
  /** The project's; absolute. */
  readonly project: string
  /** Its limit; absent: half of what the machine has free. */
  readonly maxMemoryBytes?: number
  readonly values: Readonly<Record<string, { readonly value: string; readonly asFile: boolean }>>
  /** Of the values: what it prints of them is masked before anybody reads it. */
  readonly secrets?: readonly Secret[]
}

export interface TrialContext extends Abortable {
  readonly user: SandboxUser
  /** Where the trial's folder is made. */
  readonly cacheFolder: string
  /** PATH, by which `unshare` is found. */
  readonly path: string
  /** How long a program may take to listen. */
  readonly withinMs?: number
  /** Told what is tried. */
  readonly onTry?: (question: string) => void
  /** One that is being opened already. */
  readonly opening?: OpeningSandbox
}

/** It takes a while, and what is tried is found out meanwhile. */
export interface OpeningSandbox extends AsyncDisposable {
  /** Rejects with the signal's reason when aborted. */
  readonly opened: Promise<OpenedSandbox | { readonly refused: string }>
}

interface OpenedSandbox {
  readonly sandbox: Sandbox
  /** The trial's, empty yet. */
  readonly folder: string
}

type SandboxContext = Pick<TrialContext, 'user' | 'path' | 'signal' | 'cacheFolder'>

/** Disposed of, it is ended, and its folder gone. */
export function beginSandbox(context: SandboxContext): OpeningSandbox {
  const opened = openSandbox(context)
  opened.catch(() => {}) // told to who awaits it
  return {
    opened,
    async [Symbol.asyncDispose]() {
      const done = await opened.catch(() => undefined)
      if (done === undefined || 'refused' in done) return
      await done.sandbox[Symbol.asyncDispose]()
      await removeTrialFolder(done.folder)
    },
  }
}

/** Below HOME/cache; where the trial's user may not go there, and mounts cannot help him, among the machine's temporary files. */
async function openSandbox({
  user,
  path,
  signal,
  cacheFolder,
}: SandboxContext): Promise<OpenedSandbox | { readonly refused: string }> {
  const own = trialsFolder(cacheFolder)
  await mkdir(own, { recursive: true, mode: 0o755 })
  const base = await realpath(own)
  const blocked = await blockedFolder(base, user.isRoot ? trialUser : { uid: user.uid, gid: user.gid })
  const opened = await openIn(base, { user, path, signal, blocked })
  if ('refused' in opened || blocked === undefined || opened.sandbox.hasFolders) return opened
  await opened.sandbox[Symbol.asyncDispose]()
  await removeTrialFolder(opened.folder)
  return openIn(tmpdir(), { user, path, signal })
}

async function openIn(
  base: string,
  { user, path, signal, blocked }: Omit<SandboxContext, 'cacheFolder'> & { readonly blocked?: string | undefined },
): Promise<OpenedSandbox | { readonly refused: string }> {
  const folder = await makeTrialFolder(base)
  try {
    const folders = { own: folder, ...(blocked === undefined ? {} : { blocked }) }
    const sandbox = await Sandbox.open(user, { path, signal, folders })
    if (!('refused' in sandbox)) return { sandbox, folder }
    await removeTrialFolder(folder)
    return sandbox
  } catch (error) {
    await removeTrialFolder(folder)
    throw error
  }
}

/** Where trials are kept, and made. */
export function trialsFolder(cacheFolder: string): string {
  return join(cacheFolder, 'trials')
}

/** Most servers listen within a tenth of this. */
const listenWithinMs = 6_000
const helpWithinMs = 3_000
/** No search is worth more of a user's time. */
const searchWithinMs = 60_000

/**
 * Tries a program out in a sandbox and finds out how it wants to be started.
 * @returns why there is no sandbox here, where there is none
 * @throws the signal's reason when aborted: nothing it started is left then
 */
export async function tryOut(
  order: TrialOrder,
  context: TrialContext,
): Promise<Findings | { readonly refused: string }> {
  const { user, signal, onTry } = context
  await using opening = context.opening ?? beginSandbox(context)
  const opened = await opening.opened
  if ('refused' in opened) return opened
  const { sandbox, folder } = opened
  const { service, files } = order.known
  const place = await WorkPlace.make(folder, { ...order, files, service, user })
  const endAt = performance.now() + searchWithinMs
  const search = decide(order.known)
  const masker = new Masker(order.secrets ?? [])
  let step = search.next()
  while (step.done !== true) {
    signal?.throwIfAborted()
    onTry?.(step.value.question)
    const seen =
      performance.now() > endAt ? undefined : await attempt(step.value, order, { place, sandbox, context, masker })
    step = search.next(seen ?? nothingSeen)
  }
  return step.value
}

/** Where the sandbox broke down, or there is no time left. */
const nothingSeen: Observation = { lines: [], livedMs: 0, ports: [], read: [], exit: { kind: 'unknown' } }

async function attempt(
  plan: TryPlan,
  { known, values, maxMemoryBytes }: TrialOrder,
  { place, sandbox, context, masker }: { place: WorkPlace; sandbox: Sandbox; context: TrialContext; masker: Masker },
): Promise<Observation | undefined> {
  const { cwd, program, home, temporary, data, readSince } = await place.start(plan.place)
  const isKept = known.said.data === true || plan.place.kind === 'data' || namesData(plan.args)
  const answer = await sandbox.attempt(
    {
      argv: [program, ...fillArguments(plan.args, data)],
      env: {
        ...plainEnvironment(home, temporary),
        ...(isKept ? { STATE_DIRECTORY: data } : {}),
        ...(await giveValues(values, temporary)),
        ...plan.env,
      },
      cwd,
      until: plan.until,
      told: plan.told,
      maxMemoryBytes: maxMemoryBytes ?? freemem() / 2,
      withinMs: plan.until === 'help' ? helpWithinMs : (context.withinMs ?? listenWithinMs),
    },
    { signal: context.signal },
  )
  if (answer === undefined) return undefined
  const { output, ports, livedMs, exit } = answer
  return {
    lines: masker.mask(output).split(/\r?\n/).map(withoutColours),
    ports,
    livedMs,
    ...(exit === undefined ? {} : { exit }),
    read: await readSince(),
  }
}

/** What every instance gets, whatever is said. */
function plainEnvironment(home: string, temporary: string): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    TMPDIR: temporary,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
  }
}

async function giveValues(values: TrialOrder['values'], temporary: string): Promise<Record<string, string>> {
  const env: Record<string, string> = {}
  for (const [key, { value, asFile }] of Object.entries(values)) {
    if (asFile) {
      const file = join(temporary, key)
      await writeFile(file, value, { mode: 0o444 })
      env[`${key}_FILE`] = file
    } else env[key] = value
  }
  return env
}

/** Loggers colour what they print; the words are what counts. */
function withoutColours(line: string): string {
  // oxlint-disable-next-line no-control-regex -- it begins with one
  return line.replaceAll(/\u001b\[[0-9;]*m/g, '')
}
