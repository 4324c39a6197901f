import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withFileLock } from '../../src/base/file-lock.ts'
import { fillModuleCache, goEnvironment } from './module-upstream.ts'

const run = promisify(execFile)

/** A module's source, and a folder that is a proxy and a checksum database for all that its `go mod download` asks. */
export interface ModuleGraph {
  /** A GOPROXY's files. */
  readonly upstream: string
  /** The module's source, to be copied. */
  readonly source: string
  /**
   * A GOPATH without modules: it knows the database's head that the upstream's answers fit to, as any machine that has
   * used Go knows one. To be removed by who made it.
   */
  freshPath(): Promise<string>
}

/** @param module 'path@version' */
export async function fillModuleGraph(module: string): Promise<ModuleGraph> {
  const upstream = await fillModuleCache([{ module }])
  const place = join(upstream, '../../../..')
  const source = join(place, 'graphs', module.replaceAll('/', '_'))
  await withFileLock(join(place, 'lock'), async () => {
    if ((await stat(source).catch(() => undefined)) !== undefined) return
    const env = { ...goEnvironment(), GOFLAGS: '-modcacherw' }
    const { stdout } = await run('go', ['mod', 'download', '-json', module], { env, cwd: '/' })
    const { Dir } = JSON.parse(stdout) as { Dir: string }
    const copy = await mkdtemp(join(tmpdir(), 'fairway-graph-'))
    await cp(Dir, join(copy, 'm'), { recursive: true })
    await run('chmod', ['-R', 'u+w', copy])
    // Without its go.sum go asks the database about each of them: then the upstream has all the answers.
    await cp(join(copy, 'm'), join(copy, 'n'), { recursive: true })
    await rm(join(copy, 'n/go.sum'))
    await run('go', ['mod', 'download'], { env, cwd: join(copy, 'n'), maxBuffer: 1 << 26 })
    await mkdir(join(place, 'graphs'), { recursive: true })
    await run('cp', ['-r', join(copy, 'm'), source])
    await rm(copy, { recursive: true })
  })
  return {
    upstream,
    source,
    async freshPath() {
      const folder = await mkdtemp(join(tmpdir(), 'fairway-gopath-'))
      await mkdir(join(folder, 'pkg'))
      await cp(join(place, 'pkg/sumdb'), join(folder, 'pkg/sumdb'), { recursive: true })
      return folder
    },
  }
}
