import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import type { ResultEvent } from '../base/event.ts'
import { FairwayError, type ErrorReport } from '../base/error.ts'
import { makeFolder } from '../base/make-folder.ts'
import { type ProcessStat, readProcessStat } from '../base/process-identity.ts'
import type { VersionAnswer } from '../server/api.ts'
import { Client, fromReport, isAbsent, isHung } from './client.ts'
import { type CommandContext, serverAddress } from './context.ts'

const startDeadlineMs = 60_000
const stopDeadlineMs = 30_000
const busyMs = 2000

/**
 * Starts this home's control plane in the background: in a session of its own, so that it outlives this terminal. It
 * says on a pipe that it serves, or why it cannot. Another one that was started at the same moment is as good.
 * @param patienceMs how long one that has the home and does not answer is waited for
 */
export async function startServer(
  context: CommandContext,
  { patienceMs = startDeadlineMs }: { patienceMs?: number } = {},
): Promise<void> {
  const logFolder = `${context.home}/logs`
  await makeFolder(logFolder, 0o755)
  const log = openSync(`${logFolder}/server.log`, 'a', 0o600)
  try {
    const until = systemClock.monotonicMs() + patienceMs
    for (;;) {
      const child = spawn(
        process.execPath,
        [...process.execArgv, new URL('../server/main.ts', import.meta.url).pathname, '--home', context.home],
        {
          detached: true,
          cwd: '/',
          stdio: ['ignore', log, log, 'pipe'],
          env: definedOnly(context.environment),
        },
      )
      const word = await firstLine(child)
      child.unref()
      if (word === 'ready') return
      const report = parseReport(word, context)
      if (report.code !== 'HOME_BUSY') throw fromReport(report)
      // Another one has the home: it begins just now, and answers soon, or it ends just now.
      if (await answersWithin(busyMs, context)) return
      if (systemClock.monotonicMs() > until) throw fromReport(report)
    }
  } finally {
    closeSync(log)
  }
}

/** An older one of ours: it leaves everything serving, and the new one adopts it. */
export async function restartServer(context: CommandContext, client: Client): Promise<void> {
  await stopServer(client)
  await startServer(context)
}

/**
 * Ends a control plane; resolves when its process is gone (of one elsewhere: when it no longer answers).
 * @returns whether the gateway ended with it, because nothing serves
 */
export async function stopServer(client: Client): Promise<boolean> {
  const { pid } = await client.json<VersionAnswer>('GET', '/v1/version')
  const process = client.address.kind === 'socket' ? await readProcessStat(pid) : undefined
  const { data } = await client.json<ResultEvent>('POST', '/v1/operations/server-stop', { body: {} })
  const until = systemClock.monotonicMs() + stopDeadlineMs
  while (!(process === undefined ? await isGone(client) : await hasEnded(pid, process))) {
    if (systemClock.monotonicMs() > until) {
      throw new FairwayError('SERVER_UNREACHABLE', `The control plane (pid ${pid}) does not end`, {
        hint: 'Its log is in HOME/logs/server.log.',
      })
    }
    await systemClock.sleep(10)
  }
  return (data as { gatewayEnds?: boolean } | undefined)?.gatewayEnds ?? false
}

async function isGone(client: Client): Promise<boolean> {
  try {
    await client.json<VersionAnswer>('GET', '/v1/version')
    return false
  } catch (error) {
    return isAbsent(error)
  }
}

async function hasEnded(pid: number, { startTicks }: ProcessStat): Promise<boolean> {
  const now = await readProcessStat(pid)
  return now === undefined || now.startTicks !== startTicks || now.state === 'Z'
}

async function firstLine(child: ReturnType<typeof spawn>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const pipe = child.stdio[3]
  if (pipe === null || pipe === undefined || !('setEncoding' in pipe)) throw new Error('no pipe to the control plane')
  let text = ''
  pipe.setEncoding('utf8')
  pipe.on('data', (chunk: string) => {
    text += chunk
    if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
  })
  child.once('exit', (code, signal) => resolve(text || `ended with ${signal ?? code} before it served`))
  child.once('error', reject)
  const timer = setTimeout(() => resolve(`does not serve after ${startDeadlineMs / 1000} s`), startDeadlineMs)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    pipe.destroy()
  }
}

function parseReport(text: string, { home }: CommandContext): ErrorReport {
  try {
    return JSON.parse(text) as ErrorReport
  } catch {
    return {
      code: 'SERVER_UNREACHABLE',
      message: `The control plane ${text}`,
      hint: `Its log is ${home}/logs/server.log; \`fairway server run\` shows it here.`,
    }
  }
}

async function answersWithin(ms: number, context: CommandContext): Promise<boolean> {
  const client = new Client(await serverAddress(context), context.who)
  const until = systemClock.monotonicMs() + ms
  while (systemClock.monotonicMs() < until) {
    try {
      await client.json<VersionAnswer>('GET', '/v1/version', { deadlineMs: ms })
      return true
    } catch (error) {
      if (!isAbsent(error) && !isHung(error)) throw error
      await systemClock.sleep(20)
    }
  }
  return false
}

function definedOnly(environment: CommandContext['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}
