import { readFile, rm, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { hashFile } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import {
  findVersionFault,
  hashGoMod,
  type ModuleHashes,
  type ModuleVersion,
  parseInfo,
  readModuleZip,
  unescapeVersion,
} from '../module/index.ts'
import type { ModuleStore } from './store.ts'

export interface CacheFinding {
  readonly kind: 'corrupt' | 'half' | 'orphan' | 'foreign'
  /** Below the store's folder. */
  readonly file: string
  readonly why: string
}

export interface CacheReport {
  readonly versions: number
  readonly files: number
  readonly bytes: number
  readonly findings: readonly CacheFinding[]
  readonly repaired: number
}

/** Only what was asked lately may still become a name. */
const orphanAgeMs = 3_600_000

/**
 * Reads every byte again: each blob against its digest, each zip against its h1 and the checksum database's record where
 * one lies here, each go.mod against the same; finds what is half there, what nothing leads to, and what nobody put there.
 * @param recorded what was verified of a module once; undefined where nothing lies here
 * @param repair removes what was found: it is fetched again when somebody asks
 */
export async function verifyStore(
  store: ModuleStore,
  {
    recorded,
    repair,
    now,
    signal,
  }: Abortable & {
    recorded: (module: ModuleVersion) => Promise<ModuleHashes | undefined>
    repair: boolean
    now: number
  },
): Promise<CacheReport> {
  const findings: CacheFinding[] = []
  const bad = new Set<string>()
  const find = (kind: CacheFinding['kind'], path: string, why: string) => {
    findings.push({ kind, file: relative(store.folder, path), why })
    if (repair) bad.add(path)
  }
  const inodes = new Map<number, { readonly fault: boolean }>()
  let bytes = 0
  for await (const blob of store.blobs()) {
    signal?.throwIfAborted()
    bytes += blob.size
    const fault = (await hashFile(blob.path)) !== blob.digest
    inodes.set(blob.ino, { fault })
    if (fault) find('corrupt', blob.path, 'its content is not what its name says')
    else if (blob.nlink === 1 && now - (await changedAt(blob.path)) > orphanAgeMs)
      find('orphan', blob.path, 'no module has it: `fairway cache prune` removes it')
  }
  let versions = 0
  let files = 0
  for await (const { path, folder, names } of store.folders()) {
    const seen = new Set<string>()
    for (const name of names) {
      signal?.throwIfAborted()
      const file = join(folder, name)
      const [, escaped = '', kind = ''] = /^(.+)\.(info|mod|zip|ziphash)$/.exec(name) ?? []
      const version = unescapeVersion(escaped) ?? ''
      const module = { path, version }
      if (kind === '' || findVersionFault(module) !== undefined) {
        const isUnderWay = /\.[0-9a-f]{8}\.new$/.test(name) && now - (await changedAt(file)) < orphanAgeMs
        if (!isUnderWay) find('foreign', file, 'no file of a module has such a name')
        continue
      }
      seen.add(version)
      files += 1
      const others = names.filter((each) => each.startsWith(`${escaped}.`)).map((each) => join(folder, each))
      const fault = await faultOf(store, module, kind, file, inodes, recorded)
      if (fault === undefined) continue
      find(fault.kind, file, fault.why)
      // What vouches for each other goes together.
      if (!repair) continue
      for (const other of others) if (fault.kind === 'corrupt' || other.startsWith(file)) bad.add(other)
    }
    versions += seen.size
  }
  // Names first: a blob that is gone while a name leads to it would only hide.
  for (const path of [...bad].toSorted((a, b) => Number(b.endsWith('.info')) - Number(a.endsWith('.info'))))
    await rm(path, { force: true, recursive: true })
  if (repair) await store.sweep()
  return { versions, files, bytes, findings, repaired: repair ? findings.length : 0 }
}

async function faultOf(
  store: ModuleStore,
  module: ModuleVersion,
  kind: string,
  file: string,
  inodes: ReadonlyMap<number, { readonly fault: boolean }>,
  recorded: (module: ModuleVersion) => Promise<ModuleHashes | undefined>,
): Promise<{ kind: CacheFinding['kind']; why: string } | undefined> {
  const corrupt = (why: string) => ({ kind: 'corrupt', why }) as const
  if (kind === 'ziphash') {
    const hasZip = (await changedAt(store.path(module, 'zip'))) > 0
    return hasZip ? undefined : { kind: 'half', why: 'its zip is not there' }
  }
  const known = inodes.get((await stat(file)).ino)
  if (known === undefined) return { kind: 'foreign', why: 'it is none of the blobs: somebody else put it there' }
  if (known.fault) return corrupt('its content has changed')
  if (kind === 'info') {
    if (parseInfo(await readFile(file))?.version !== module.version) return corrupt('it names another version')
    const hasGoMod = (await changedAt(store.path(module, 'mod'))) > 0
    return hasGoMod ? undefined : { kind: 'half', why: 'its go.mod is not there' }
  }
  const expected = await recorded(module)
  if (kind === 'mod') {
    const isRecorded = expected?.goMod === undefined || expected.goMod === hashGoMod(await readFile(file))
    return isRecorded ? undefined : corrupt('it is not what the checksum database says')
  }
  if ((await changedAt(store.path(module, 'info'))) === 0) return { kind: 'half', why: 'its .info is not there' }
  try {
    const { h1 } = await readModuleZip(file, module)
    const noted = await store.readZipHash(module)
    if (h1 !== noted) return corrupt(`its hash is ${h1}, its .ziphash says ${noted ?? 'nothing'}`)
    if (expected !== undefined && expected.zip !== h1) return corrupt('it is not what the checksum database says')
    return undefined
  } catch (error) {
    if (error instanceof FairwayError) return corrupt(error.message)
    throw error
  }
}

/** 0 for what is not there. */
async function changedAt(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.ctimeMs ?? 0
}
