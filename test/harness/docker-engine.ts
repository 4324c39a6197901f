import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** A Docker engine of the test's own: its own folder and socket, no bridge and no rule of the firewall. Root only. */
export class DockerEngine implements AsyncDisposable {
  readonly #folder: string
  readonly #end: () => Promise<void>

  private constructor(folder: string, end: () => Promise<void>) {
    this.#folder = folder
    this.#end = end
  }

  static async start(): Promise<DockerEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'fairway-docker-'))
    const words = [
      '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid'), '-H', `unix://${folder}/sock`,
      '--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false', '--storage-driver=vfs', '--shutdown-timeout=1',
    ] // prettier-ignore
    const child = spawn('dockerd', words, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
    child.on('error', (error) => (said += String(error)))
    const engine = new DockerEngine(folder, async () => {
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true, maxRetries: 10 })
    })
    for (let tries = 0; tries < 300 && child.exitCode === null; tries += 1) {
      if ((await engine.ask('GET', '/_ping').catch(() => '')) === 'OK') return engine
      await delay(100)
    }
    await engine[Symbol.asyncDispose]()
    throw new Error(`dockerd does not answer: ${said.slice(-3000)}`)
  }

  /** As `docker load`. @returns what it says */
  async load(file: string): Promise<string> {
    return this.ask('POST', '/images/load?quiet=1', { file })
  }

  /** As `docker run --network none`, to its end. @returns what it printed, and its status */
  async run(image: string): Promise<{ status: number; output: string }> {
    const config = { Image: image, HostConfig: { NetworkMode: 'none' }, Tty: true }
    const created = await this.ask('POST', '/containers/create', { json: config })
    const { Id: id } = JSON.parse(created) as { Id: string }
    await this.ask('POST', `/containers/${id}/start`)
    const { StatusCode: status } = JSON.parse(await this.ask('POST', `/containers/${id}/wait`)) as {
      StatusCode: number
    }
    return { status, output: await this.ask('GET', `/containers/${id}/logs?stdout=1&stderr=1`) }
  }

  async ask(method: string, path: string, { json, file }: { json?: object; file?: string } = {}): Promise<string> {
    const headers = { 'content-type': json === undefined ? 'application/x-tar' : 'application/json' }
    const sent = request({ socketPath: join(this.#folder, 'sock'), method, path, headers })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    sent.on('error', reject).on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () =>
        (response.statusCode ?? 500) < 400 ? resolve(text) : reject(new Error(`${method} ${path}: ${text}`)),
      )
    })
    if (file !== undefined) await pipeline(createReadStream(file), sent)
    else sent.end(json === undefined ? undefined : JSON.stringify(json))
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }
}
