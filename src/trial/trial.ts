import { tmpdir } from 'node:os'
import { relative } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { Secret } from '../base/secret.ts'
import type { ProjectService } from '../config/index.ts'
import type { Findings } from './findings.ts'
import type { Known } from './known.ts'
import { TrialMemory } from './memory.ts'
import { placeholderFor } from './placeholder.ts'
import { isThere } from './project-files.ts'
import { type ProjectTree, readSourceClues, readTree, type SourceModule } from './sources.ts'
import { sweepTrialFolders } from './trial-folder.ts'
import { beginSandbox, trialsFolder, type TrialOrder, tryOut } from './try-out.ts'

/** A built program, and where it comes from; folders are absolute. */
export interface TrialSubject {
  readonly service: ProjectService
  readonly project: string
  readonly mainFolder: string
  readonly moduleFolder: string
  readonly modules: readonly { readonly folder: string; readonly path: string }[]
  readonly binary: { readonly path: string; readonly digest: string }
}

export interface TrialOptions extends Abortable {
  /** HOME/cache */
  readonly cacheFolder: string
  readonly path: string
  readonly now: number
  /** Of this process. */
  readonly user: { readonly uid: number; readonly gid: number }
  readonly onTry?: (question: string) => void
}

export type TrialOutcome =
  | { readonly kind: 'found'; readonly findings: Findings; readonly isKept: boolean }
  /** No sandbox can be had here. */
  | { readonly kind: 'refused'; readonly why: string }

/**
 * What is left unsaid of how a program starts, by trying it out: kept by the binary's digest, confirmed by one try where
 * only the binary changed.
 */
export async function trial(subject: TrialSubject, options: TrialOptions): Promise<TrialOutcome> {
  const { cacheFolder, path, user, now, signal, onTry } = options
  const memory = await TrialMemory.open(cacheFolder, { now })
  const { digest } = subject.binary
  const bare = orderOf(subject, { files: [], goFiles: [] }, undefined)
  const kept = await memory.find(digest, bare)
  const tree = kept === undefined || kept.files.length > 0 ? await readTree(subject.project, { signal }) : undefined
  if (kept !== undefined && kept.files.every((file) => isThere(tree?.files ?? [], '.', file))) {
    return { kind: 'found', findings: kept, isKept: true }
  }
  const sandboxUser = { ...user, isRoot: user.uid === 0 }
  await using opening = beginSandbox({ user: sandboxUser, path, signal, cacheFolder })
  for (const base of [trialsFolder(cacheFolder), tmpdir()]) await sweepTrialFolders(base, { now, uid: user.uid })
  const whole = tree ?? (await readTree(subject.project, { signal }))
  const source = await readSourceClues(
    subject.project,
    inside(subject, subject.mainFolder),
    whole,
    modulesOf(subject),
    { signal },
  )
  const former = await memory.former(bare)
  const order = orderOf(subject, whole, { source, ...(former === undefined ? {} : { former }) })
  const context = {
    user: sandboxUser,
    cacheFolder,
    path,
    opening,
    ...(onTry === undefined ? {} : { onTry }),
    ...(signal === undefined ? {} : { signal }),
  }
  const findings = await tryOut(order, context)
  if ('refused' in findings) return { kind: 'refused', why: findings.refused }
  await memory.keep(digest, order, findings)
  return { kind: 'found', findings, isKept: false }
}

function orderOf(
  subject: TrialSubject,
  tree: ProjectTree,
  clues: Pick<Known, 'source' | 'former'> | undefined,
): TrialOrder {
  const { service, project, binary } = subject
  const { said, specification } = service
  const { run, values } = specification
  const known: Known = {
    service: specification.service,
    said: {
      ...(said.has('listen') ? { listen: run.listen } : {}),
      ...(said.has('args') ? { args: run.args } : {}),
      ...(said.has('workdir') && run.workdir !== undefined ? { workdir: run.workdir } : {}),
      ...(said.has('files') ? { files: service.files } : {}),
      ...(said.has('protocol') ? { protocol: run.protocol ?? 'http' } : {}),
      ...(said.has('probe') ? { probe: run.probe.target } : {}),
      ...(said.has('data') ? { data: run.data } : {}),
      ...(run.user === undefined ? {} : { user: run.user }),
    },
    keys: Object.keys(values),
    hidden: Object.entries(values).flatMap(([key, value]) => ('value' in value ? [] : [key])),
    folders: [...new Set(['', inside(subject, subject.moduleFolder), inside(subject, subject.mainFolder)])].map(
      (each) => (each === '' ? '.' : each),
    ),
    files: tree.files,
    source: { listenVariables: [], flags: [], variables: [], reads: [], paths: [] },
    ...clues,
  }
  const given = Object.entries(values).map(([key, value]) => {
    // What `fairway secret set` holds is known to the control plane alone.
    const text = 'value' in value ? value.value : (placeholderFor(key, 0) ?? '')
    return [key, { value: text, asFile: value.asFile }] as const
  })
  const secrets = Object.values(values).flatMap((value) =>
    value.secret && 'value' in value ? [new Secret(value.value)] : [],
  )
  const { memoryBytes } = run.limits
  return {
    known,
    binary: binary.path,
    project,
    ...(memoryBytes === undefined ? {} : { maxMemoryBytes: memoryBytes }),
    values: Object.fromEntries(given),
    secrets,
  }
}

/** '' is the project itself. */
function inside({ project }: TrialSubject, folder: string): string {
  const path = relative(project, folder)
  return path.startsWith('..') ? '' : path
}

function modulesOf(subject: TrialSubject): SourceModule[] {
  return subject.modules.map(({ folder, path }) => ({ folder: inside(subject, folder), path }))
}
