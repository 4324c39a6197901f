import { createHash, createHmac, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { errnoOf } from '../base/error.ts'
import { sweepFolder } from '../base/sweep-folder.ts'
import { readText } from '../base/read-file.ts'
import type { Findings } from './findings.ts'
import type { Known } from './known.ts'
import { type TrialOrder, trialsFolder } from './try-out.ts'

/** Of the rules by which findings are found: other rules, other findings. */
const rules = 3
const dayMs = 86_400_000

/** Findings by what they depend on, so that the same binary is not tried twice; losing it costs a trial. */
export class TrialMemory {
  readonly #folder: string
  readonly #key: Buffer

  private constructor(folder: string, key: Buffer) {
    this.#folder = folder
    this.#key = key
  }

  /** @param cacheFolder HOME/cache; what nobody asked for in a month is removed */
  static async open(cacheFolder: string, { now }: { now: number }): Promise<TrialMemory> {
    const folder = trialsFolder(cacheFolder)
    await mkdir(folder, { recursive: true, mode: 0o755 })
    await sweepFolder(folder, /^[0-9a-f]{32}\.json$/, { before: now - 30 * dayMs })
    const path = join(folder, 'key')
    // Values enter by their HMAC: a bare hash would give a short password away.
    await writeFile(path, randomBytes(32), { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
    })
    return new TrialMemory(folder, await readFile(path))
  }

  /** @param binary its digest */
  async find(binary: string, order: TrialOrder): Promise<Findings | undefined> {
    return this.#read(this.#exact(binary, order))
  }

  /** Of the binary before, of the same service with the same lines in fairway.yaml. */
  async former(order: TrialOrder): Promise<Findings | undefined> {
    return this.#read(this.#service(order))
  }

  /** Only one that was seen to serve is kept: what is missing may be given any moment. */
  async keep(binary: string, order: TrialOrder, findings: Findings): Promise<void> {
    if (findings.verdict !== 'serves') return
    const text = JSON.stringify({ rules, findings })
    for (const name of [this.#exact(binary, order), this.#service(order)]) {
      await writeFileAtomic(join(this.#folder, name), text)
    }
  }

  #exact(binary: string, { known, values, project }: TrialOrder): string {
    const given = createHmac('sha256', this.#key).update(JSON.stringify(values)).digest('hex')
    return `${digest([rules, binary, project, known.service, said(known), given])}.json`
  }

  #service({ known, project }: TrialOrder): string {
    return `former-${digest([rules, project, known.service, said(known)])}.json`
  }

  async #read(name: string): Promise<Findings | undefined> {
    try {
      const kept = JSON.parse(await readText(join(this.#folder, name))) as {
        rules?: number
        findings?: Findings
      }
      return kept.rules === rules ? kept.findings : undefined
    } catch {
      return undefined // not there, or half of it: it is found out anew
    }
  }
}

function said({ said: { listen, args, workdir, files, protocol, probe, data, user } }: Known): unknown {
  return [
    listen ?? null,
    args ?? null,
    workdir ?? null,
    files ?? null,
    protocol ?? null,
    probe ?? null,
    data ?? null,
    user ?? null,
  ]
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
