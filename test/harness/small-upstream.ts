import { createServer } from 'node:http'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createHash } from 'node:crypto'
import { hashFiles, hashGoMod } from '../../src/module/index.ts'
import { Signer, SignedLog } from './signed-log.ts'
import { makeZip } from './zip.ts'
import { type ModuleUpstream, startModuleUpstream, type UpstreamOptions } from './module-upstream.ts'

export interface SmallModule {
  readonly path: string
  readonly version: string
  readonly files: Readonly<Record<string, string>>
}

/** An upstream and a checksum database for a few modules of a test's own. */
export interface SmallUpstream extends AsyncDisposable {
  /** One more module, and its record in the log. */
  add(module: SmallModule): Promise<void>
  readonly upstream: ModuleUpstream
  /** For GOSUMDB: a key and its address. */
  readonly sumdb: string
  readonly log: SignedLog
  readonly folder: string
  readonly asked: string[]
}

export function zipOf({ path, version, files }: SmallModule): Buffer {
  const entries = { 'go.mod': `module ${path}\n`, ...files }
  return makeZip(Object.entries(entries).map(([name, content]) => ({ name: `${path}@${version}/${name}`, content })))
}

export async function startSmallUpstream(
  modules: readonly SmallModule[],
  options: UpstreamOptions & { readonly answer?: (log: SignedLog, path: string) => Buffer | undefined } = {},
): Promise<SmallUpstream> {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-small-'))
  const log = new SignedLog(new Signer())
  log.fill(300)
  const add = async (module: SmallModule) => {
    const { path, version, files } = module
    const base = join(folder, path, '@v', version)
    await mkdir(dirname(base), { recursive: true })
    const goMod = files['go.mod'] ?? `module ${path}\n`
    await writeFile(`${base}.mod`, goMod)
    await writeFile(`${base}.info`, JSON.stringify({ Version: version, Time: '2024-01-01T00:00:00Z' }))
    await writeFile(`${base}.zip`, zipOf(module))
    await writeFile(join(dirname(base), 'list'), `${version}\n`, { flag: 'a' })
    const hashed = Object.entries({ 'go.mod': goMod, ...files }).map(([name, content]) => ({
      name: `${path}@${version}/${name}`,
      sha256: createHash('sha256').update(content).digest('hex'),
    }))
    log.add(
      path,
      version,
      `${path} ${version} ${hashFiles(hashed)}\n${path} ${version}/go.mod ${hashGoMod(Buffer.from(goMod))}\n`,
    )
  }
  for (const module of modules) await add(module)
  log.fill(100)
  const asked: string[] = []
  const database = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1))
    asked.push(path)
    const answer = options.answer?.(log, path) ?? log.answer(path)
    response.statusCode = answer === undefined ? 404 : 200
    response.end(answer)
  })
  await new Promise<void>((resolve) => void database.listen(0, '127.0.0.1', resolve))
  const upstream = await startModuleUpstream(folder, options)
  return {
    upstream,
    log,
    folder,
    asked,
    add,
    sumdb: `${log.signer.vkey} http://127.0.0.1:${(database.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await upstream[Symbol.asyncDispose]()
      database.closeAllConnections()
      await new Promise((resolve) => database.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
}
