import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Debian's docker-registry, on a port of its own. */
export interface DockerRegistry extends AsyncDisposable {
  /** '127.0.0.1:43337' */
  readonly address: string
}

/** Whom a registry with a login lets in. */
export const registryLogin = { user: 'ada', password: 'correct horse' } as const
const htpasswd = 'ada:$2b$04$1AV.qU14lmAytav2wZ/X4eSDTVjWM193VT0F.TXtW2HmA1F6zWeeC\n'

/** @param hasLogin Basic, with `registryLogin` */
export async function startDockerRegistry({ hasLogin = false }: { hasLogin?: boolean } = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-registry-'))
  await mkdir(join(folder, 'data'))
  const auth = hasLogin ? `auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}\n` : ''
  await writeFile(join(folder, 'htpasswd'), htpasswd)
  await writeFile(
    join(folder, 'config.yml'),
    `version: 0.1\nstorage: {filesystem: {rootdirectory: ${folder}/data}}\nhttp: {addr: 127.0.0.1:0}\n${auth}`,
  )
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { OTEL_TRACES_EXPORTER: 'none' },
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    const address = /listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1]
    if (address !== undefined) resolve(address)
  })
  child.on('error', reject)
  const ended = new Promise<void>((done) => child.on('close', () => done()))
  void ended.then(() => reject(new Error(`docker-registry ended: ${said}`)))
  return {
    address: await promise,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Reads an image back as any client would, and checks every digest on the way. */
export async function pullAll(
  address: string,
  repository: string,
  name: string,
  headers: Record<string, string> = {},
): Promise<Pulled> {
  const { createHash } = await import('node:crypto')
  const fetchBytes = async (path: string, digest?: string) => {
    const accept = ['application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.manifest.v1+json'].join(', ')
    const response = await fetch(`http://${address}/v2/${repository}/${path}`, { headers: { accept, ...headers } })
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    const bytes = Buffer.from(await response.arrayBuffer())
    const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    if (digest !== undefined && actual !== digest) throw new Error(`${path} is ${actual}`)
    return { bytes, digest: actual }
  }
  const root = await fetchBytes(`manifests/${name}`)
  const document = JSON.parse(root.bytes.toString('utf8')) as Manifest
  const manifests: Pulled['manifests'][number][] = []
  for (const one of document.manifests ?? [{ digest: root.digest }]) {
    const { bytes } = await fetchBytes(`manifests/${one.digest}`, one.digest)
    const manifest = JSON.parse(bytes.toString('utf8')) as Manifest
    const parts = [...(manifest.config === undefined ? [] : [manifest.config]), ...(manifest.layers ?? [])]
    const blobs = await Promise.all(
      parts.map(async ({ digest }) => (await fetchBytes(`blobs/${digest}`, digest)).bytes),
    )
    manifests.push({ digest: one.digest, manifest, blobs })
  }
  return { digest: root.digest, document, manifests }
}

interface Manifest {
  readonly artifactType?: string
  readonly config?: { readonly digest: string; readonly mediaType: string }
  readonly layers?: readonly { readonly digest: string; readonly mediaType: string }[]
  readonly manifests?: readonly { readonly digest: string; readonly artifactType?: string }[]
  readonly subject?: { readonly digest: string }
}

export interface Pulled {
  readonly digest: string
  readonly document: Manifest
  /** Each with its configuration and its layers, in this order. */
  readonly manifests: readonly {
    readonly digest: string
    readonly manifest: Manifest
    readonly blobs: readonly Buffer[]
  }[]
}
