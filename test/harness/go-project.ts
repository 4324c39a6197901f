import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseTarget } from '../../src/artifact/index.ts'
import { FairwayError } from '../../src/base/error.ts'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { execOk } from '../../src/base/exec.ts'
import type { GoSettings } from '../../src/config/index.ts'
import { buildService, findToolchain, type ProcessEnvironment, ProjectSource } from '../../src/go/index.ts'

export const environment: ProcessEnvironment = process.env

export const server = `package main

import "net/http"

func main() {
	http.ListenAndServe("127.0.0.1:0", nil)
}
`
export const tool = 'package main\n\nfunc main() {}\n'
export const module = 'module example.com/shop\n\ngo 1.21\n'

/** A folder with these files and a cache of its own, removed at the end of the test. */
export async function makeProject(
  files: Readonly<Record<string, string>>,
  { env = environment }: { env?: ProcessEnvironment } = {},
) {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'fairway-go-')))
  const folder = join(root, 'project')
  await mkdir(folder)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  const toolchain = await findToolchain({ environment: env })
  const open = () => ProjectSource.open(folder, toolchain)
  const events: FairwayEventBody[] = []
  const build = async ({
    service = 'web',
    build: path,
    globs = [],
    signal,
    settings = {},
    target,
  }: {
    service?: string
    build?: string
    globs?: string[]
    signal?: AbortSignal
    settings?: GoSettings
    target?: string
  } = {}) => {
    const source = await (await open()).locate(service, { build: path, alone: true })
    const context = {
      toolchain,
      cacheFolder: join(root, 'cache'),
      environment: env,
      report: (event: FairwayEventBody) => void events.push(event),
      now: () => 42,
      signal,
    }
    const order = {
      ...source,
      folder,
      files: globs,
      settings,
      target: target === undefined ? target : parseTarget(target),
    }
    return buildService(order, context)
  }
  const git = (...words: string[]) =>
    execOk(['git', '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...words], {
      cwd: folder,
      env: { PATH: env['PATH'] ?? '', GIT_CONFIG_GLOBAL: '/dev/null' },
    })
  return {
    root,
    folder,
    toolchain,
    events,
    open,
    build,
    git,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}

export async function failure(promise: Promise<unknown>): Promise<FairwayError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof FairwayError)) throw new Error(`not refused with an explanation: ${String(error)}`)
  return error
}
