import { connect } from 'node:net'
import { type Bounded, deadlineSignal } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { askHealth } from '../base/grpc-health.ts'
import { cutMark } from '../base/cut-mark.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import type { ExecResult } from '../base/exec.ts'
import { type Address, formatAddress } from '../host/index.ts'
import type { ProbeAnswer } from './health.ts'

/** What is kept of an answer's body or a command's output. */
const maxEvidenceBytes = 200

interface AskOptions {
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * One GET on a connection of its own, as new as the ones the gateway will make; redirects are answers, not ways.
 * @throws the signal's reason when aborted; nothing else
 */
export async function askHttp(address: Address, path: string, options: AskOptions): Promise<ProbeAnswer> {
  const { clock, timeoutMs, signal } = options
  const { request } = await import('node:http') // who reads source needs this domain's words alone
  const begun = clock.monotonicMs()
  const tookMs = () => Math.round(clock.monotonicMs() - begun)
  const deadline = deadlineSignal(timeoutMs)
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>()
  try {
    const asked = request({
      host: address.host,
      port: address.port,
      path,
      agent: false,
      headers: { host: formatAddress(address), 'user-agent': 'fairway-probe', accept: '*/*' },
      signal: AbortSignal.any([signal, deadline]),
    })
    asked.on('error', (error) => resolve(explainFailure(error, deadline, timeoutMs, tookMs())))
    asked.on('response', (response) => {
      const { statusCode: status = 0 } = response
      if (status >= 200 && status < 300) {
        resolve({ kind: 'good', status, tookMs: tookMs() })
        asked.destroy() // the head is the answer: a body may never end
        return
      }
      const chunks: Buffer[] = []
      let held = 0
      const finish = () => {
        const { location } = response.headers
        const body = evidenceText(Buffer.concat(chunks))
        resolve({ kind: 'status', status, ...(location === undefined ? {} : { location }), body, tookMs: tookMs() })
        asked.destroy()
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        held += chunk.length
        if (held >= maxEvidenceBytes) finish()
      })
      response.on('end', finish)
      response.on('error', finish) // its body broke off: the status is evidence enough
    })
    asked.end()
  } catch (error) {
    resolve(explainFailure(error, deadline, timeoutMs, tookMs())) // a path that is none
  }
  const answer = await promise
  signal.throwIfAborted()
  return answer
}

/** @throws the signal's reason when aborted; nothing else */
export async function askTcp(address: Address, { clock, timeoutMs, signal }: AskOptions): Promise<ProbeAnswer> {
  const begun = clock.monotonicMs()
  const tookMs = () => Math.round(clock.monotonicMs() - begun)
  const deadline = deadlineSignal(timeoutMs)
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>()
  const socket = connect({ ...address, signal: AbortSignal.any([signal, deadline]) })
  socket.on('error', (error) => resolve(explainFailure(error, deadline, timeoutMs, tookMs())))
  socket.on('connect', () => {
    resolve({ kind: 'good', tookMs: tookMs() })
    socket.destroy()
  })
  const answer = await promise
  signal.throwIfAborted()
  return answer
}

/** @throws the signal's reason when aborted; nothing else */
export async function askGrpc(address: Address, { clock, timeoutMs, signal }: AskOptions): Promise<ProbeAnswer> {
  const begun = clock.monotonicMs()
  const deadline = deadlineSignal(timeoutMs)
  const answer = await askHealth(() => connect(address), {
    authority: formatAddress(address),
    signal: AbortSignal.any([signal, deadline]),
  })
  signal.throwIfAborted()
  const tookMs = Math.round(clock.monotonicMs() - begun)
  const { kind, detail, errno } = answer
  if (kind === 'serving') return { kind: 'good', tookMs }
  if (kind !== 'failed') return { kind: 'grpc', detail, health: kind, tookMs }
  if (deadline.aborted) return { kind: 'timeout', detail: `no answer within ${timeoutMs} ms`, tookMs }
  return { kind: errno === 'ECONNREFUSED' ? 'refused' : 'closed', detail, tookMs }
}

/** How a command is run beside the instance. */
export type RunBeside = (options: Bounded & { readonly maxOutputBytes: number }) => Promise<ExecResult>

/** @throws the signal's reason when aborted; nothing else */
export async function askCommand(run: RunBeside, { clock, timeoutMs, signal }: AskOptions): Promise<ProbeAnswer> {
  const begun = clock.monotonicMs()
  const tookMs = () => Math.round(clock.monotonicMs() - begun)
  try {
    const { exitCode, stdout, stderr, cutBytes } = await run({ signal, deadlineMs: timeoutMs, maxOutputBytes: 4096 })
    if (exitCode === 0) return { kind: 'good', tookMs: tookMs() }
    const output = `${cutBytes > 0 ? cutMark : ''}${stdout}${stderr}`
    return { kind: 'exec', exitCode, output: evidenceText(Buffer.from(output)), tookMs: tookMs() }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof FairwayError && error.code === 'COMMAND_TIMEOUT') {
      return { kind: 'timeout', detail: `no end within ${timeoutMs} ms`, tookMs: tookMs() }
    }
    const output = error instanceof Error ? error.message : String(error)
    return { kind: 'exec', exitCode: null, output, tookMs: tookMs() }
  }
}

function explainFailure(error: unknown, deadline: AbortSignal, timeoutMs: number, tookMs: number): ProbeAnswer {
  if (deadline.aborted) return { kind: 'timeout', detail: `no answer within ${timeoutMs} ms`, tookMs }
  const detail = error instanceof Error ? error.message : String(error)
  return { kind: errnoOf(error) === 'ECONNREFUSED' ? 'refused' : 'closed', detail, tookMs }
}

/** Text only, on one line: evidence is read by people, in terminals. */
function evidenceText(bytes: Buffer): string {
  const text = bytes.subarray(0, maxEvidenceBytes).toString('utf8')
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\ufffd\s]+/gu, ' ').trim()
  return bytes.length < maxEvidenceBytes ? line : `${line}${cutMark}`
}
