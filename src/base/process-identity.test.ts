import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { identifyProcess, isAlive, parseProcessStat, readBootId, readProcessStat } from './process-identity.ts'

test('a command with spaces and parentheses does not shift the fields', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 15 }), fc.nat(), fc.nat(), (command, parent, start) => {
      const fields = ['S', parent, 10, 11, ...Array.from({ length: 15 }, () => 0), start, 0, 0]
      expect(parseProcessStat(`42 (${command}) ${fields.join(' ')}\n`)).toEqual({
        state: 'S',
        parentPid: parent,
        processGroup: 10,
        session: 11,
        startTicks: start,
      })
    }),
  )
})

test('a text that is no stat line identifies nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { startTicks } = parseProcessStat(text)
      return Number.isNaN(startTicks) || Number.isFinite(startTicks)
    }),
  )
})

test('a process is alive only under its own start time and boot', async () => {
  const bootId = await readBootId()
  const self = await identifyProcess(process.pid, bootId)
  if (self === undefined) throw new Error('we are alive')
  expect(await isAlive(self, bootId)).toBe(true)
  expect(await isAlive({ ...self, startTicks: self.startTicks + 1 }, bootId)).toBe(false)
  expect(await isAlive(self, 'another boot')).toBe(false)
  expect(await isAlive({ ...self, startTicks: Number.NaN }, bootId)).toBe(false)
})

test('a process that has ended is gone, and asking for it is no error', async () => {
  const child = spawn('/bin/true')
  await once(child, 'exit')
  expect(await readProcessStat(child.pid ?? 0)).toBeUndefined()
})

test('a zombie is not alive', async () => {
  // The shell becomes a program that never asks for its child.
  const shell = spawn('/bin/sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const [line] = (await once(shell.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    await expect.poll(async () => (await readProcessStat(pid))?.state).toBe('Z')
    const bootId = await readBootId()
    const zombie = await identifyProcess(pid, bootId)
    expect(zombie !== undefined && (await isAlive(zombie, bootId))).toBe(false)
  } finally {
    shell.kill('SIGKILL')
  }
})
