import { chmod, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { homeFolder } from '../../src/config/home.ts'
import { runFairway } from './fairway.ts'

const example = new URL('../../examples/hello', import.meta.url).pathname

/** Where the demo lives: a home of its own beside the user's, which it never touches, and a copy of the example. */
export interface DemoPlace {
  readonly folder: string
  readonly home: string
  readonly project: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** By default /var/lib/fairway-demo for root, else fairway-demo in the XDG data folder; FAIRWAY_HOME moves it. */
export function demoPlace(environment: NodeJS.ProcessEnv): DemoPlace {
  const folder = `${homeFolder({ environment, uid: process.getuid?.() ?? 1, cwd: process.cwd() })}-demo`
  const home = join(folder, 'home')
  const { FAIRWAY_SERVER: _server, FAIRWAY_API: _api, FAIRWAY_GATEWAY: _gateway, ...rest } = environment
  return { folder, home, project: join(folder, 'hello'), env: { ...rest, FAIRWAY_HOME: home } }
}

/** Ends what an earlier demo left running; nothing of it is kept. */
export async function clear({ folder, home, env }: DemoPlace): Promise<{ hadRun: boolean }> {
  const hadRun = await exists(join(home, 'state.db'))
  // Its ports may belong to somebody else by now, and none is needed to take down what runs.
  const anyPort = { ...env, FAIRWAY_API: '127.0.0.1:0', FAIRWAY_GATEWAY: '127.0.0.1:0' }
  if (hadRun) {
    for (const words of [
      ['down', '--all', '--yes'],
      ['server', 'stop'],
    ]) {
      const { exit, result, stderr } = await runFairway(words, { cwd: '/', env: anyPort })
      if (exit !== 0) throw new Error(`fairway ${words.join(' ')}: ${result.error?.message ?? stderr}`)
    }
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  return { hadRun }
}

/** A copy of the example, and ports beside the usual ones, which are left to the user's own Fairway. */
export async function prepare({ home, project }: DemoPlace): Promise<void> {
  await mkdir(home, { recursive: true })
  await chmod(home, 0o755)
  await cp(example, project, { recursive: true })
  const api = (await isFree(8570)) ? 8570 : 0
  const gateway = (await isFree(8580)) ? 8580 : 0
  await writeFile(join(home, 'config.yaml'), `api: 127.0.0.1:${api}\ngateway: 127.0.0.1:${gateway}\n`)
}

/** The change between two releases. */
export async function edit(project: string, replacements: readonly (readonly [RegExp, string])[]): Promise<void> {
  const path = join(project, 'main.go')
  let text = await readFile(path, 'utf8')
  for (const [pattern, replacement] of replacements) {
    if (!pattern.test(text)) throw new Error(`${path} has nothing like ${String(pattern)}`)
    text = text.replace(pattern, replacement)
  }
  await writeFile(path, text)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)))
  return promise
}
