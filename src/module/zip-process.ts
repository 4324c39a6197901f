import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { FairwayError } from '../base/error.ts'
import { Secret } from '../base/secret.ts'
import { fetchWhole } from './fetch-whole.ts'
import { HttpClient } from './http.ts'
import { readModuleZip } from './module-zip.ts'
import type { ZipAnswer, ZipOrder } from './zip-handler.ts'

// The process behind ZipHandler: it does what it is told to, and ends with whoever started it.
process.on('message', (order) => void obey(order as ZipOrder))
process.on('disconnect', () => process.exit(0))
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {}) // a terminal's, meant for who started it

const toldEveryMs = 100
const http = new HttpClient({ environment: process.env, silentMs: Number(process.argv[2]) })
const fetches = new Map<number, AbortController>()

async function obey(order: ZipOrder): Promise<void> {
  const { id } = order
  try {
    if (order.kind === 'stop') fetches.get(id)?.abort()
    else if (order.kind === 'fetch') say({ id, kind: 'fetched', bytes: await fetchZip(order) })
    else say({ id, kind: 'read', h1: (await readModuleZip(order.zip, order.module)).h1, ...sumFile(order.zip) })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (!(error instanceof FairwayError)) say({ id, kind: 'failed', message })
    else say({ id, kind: 'refused', code: error.code, message, hint: error.hint })
  }
}

async function fetchZip({
  id,
  address,
  user,
  zip,
  mostBytes,
}: Extract<ZipOrder, { kind: 'fetch' }>): Promise<number | undefined> {
  const stop = new AbortController()
  fetches.set(id, stop)
  let told = performance.now()
  try {
    return await fetchWhole(http, address, zip, {
      user: user === undefined ? undefined : { name: user.name, password: new Secret(user.password) },
      mostBytes,
      signal: stop.signal,
      onProgress(bytes) {
        if (performance.now() - told < toldEveryMs) return
        told = performance.now()
        say({ id, kind: 'progress', bytes })
      },
    })
  } finally {
    fetches.delete(id)
  }
}

const buffer = Buffer.allocUnsafeSlow(512 * 1024)

function sumFile(path: string): { sha256: string; bytes: number } {
  const sum = createHash('sha256')
  const file = openSync(path, 'r')
  let bytes = 0
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
      sum.update(buffer.subarray(0, read))
      bytes += read
    }
  } finally {
    closeSync(file)
  }
  return { sha256: sum.digest('hex'), bytes }
}

function say(answer: ZipAnswer): void {
  if (process.connected) process.send?.(answer, () => {}) // whoever asked may have gone
}
