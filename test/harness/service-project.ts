import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadOptions } from '../load/raw-client.ts'
import type { TestFairway } from './fairway.ts'

const source = new URL('../fixtures/e2e-service', import.meta.url).pathname

/** Healthy at the first good answer: what is tested is the order of things, not the waiting. */
export const quickProbe = '{ http: /healthz, every: 20ms, healthyFor: 20ms, timeout: 300ms, deadline: 10s }'

/** One project folder of the test service, whose behaviour is said by its values. */
export class ServiceProject {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /**
   * Where it listens is said: how its start is found out is another test's matter.
   * @param yaml lines of the service `web`, in YAML's flow or block style, without indentation
   */
  static async create(fairway: TestFairway, yaml: readonly string[], name = 'project'): Promise<ServiceProject> {
    const project = new ServiceProject(await fairway.project(source, name))
    const lines = yaml.some((line) => line.startsWith('listen:')) ? yaml : ['listen: { env: PORT }', ...yaml]
    await project.configure(['project: shop', 'services:', '  web:', ...lines.map((line) => `    ${line}`)])
    return project
  }

  async configure(lines: readonly string[]): Promise<void> {
    await this.write('fairway.yaml', `${lines.join('\n')}\n`)
  }

  async write(path: string, text: string): Promise<void> {
    await writeFile(join(this.folder, path), text)
  }

  /** Another value is another release, without another build. */
  async values(values: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`)
    await this.write('.env', lines.join(''))
  }
}

/** Requests of the service `web`, on its route in `dev`. */
export async function loadOn(fairway: TestFairway, options: Partial<LoadOptions> = {}): Promise<LoadOptions> {
  return {
    address: await fairway.gateway(),
    connections: 'keep-alive',
    perSecond: 100,
    request: { path: '/', host: 'web.localhost' },
    ...options,
  }
}
