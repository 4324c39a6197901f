import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { boundSignal, deadlineSignal } from './bounds.ts'

test('whatever reckoning with times comes to is a deadline', () => {
  fc.assert(fc.property(fc.double({ noNaN: true }), (ms) => deadlineSignal(ms) instanceof AbortSignal))
})

test('a deadline far away does not strike at once', async () => {
  const far = deadlineSignal(Number.POSITIVE_INFINITY)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(far.aborted).toBe(false)
})

test('the first of signal and deadline strikes', async () => {
  const controller = new AbortController()
  const bounded = boundSignal({ signal: controller.signal, deadlineMs: 60_000.5 })
  controller.abort(new Error('enough'))
  expect(bounded?.reason).toEqual(new Error('enough'))
  expect(boundSignal({})).toBeUndefined()
  const late = boundSignal({ signal: new AbortController().signal, deadlineMs: 0.1 })
  await expect.poll(() => late?.aborted).toBe(true)
})
