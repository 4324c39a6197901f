import { expect, test } from 'vitest'
import { unhurried } from './unhurried.ts'

async function* endless(): AsyncGenerator<number> {
  for (let i = 0; ; i++) yield i
}

test('items without end leave others their turn', async () => {
  let isOver = false
  setTimeout(() => (isOver = true), 20)
  let seen = 0
  for await (const item of unhurried(endless())) {
    expect(item).toBe(seen++)
    if (isOver) break
  }
  expect(seen).toBeGreaterThan(10)
})

test('who leaves off ends what gives the items', async () => {
  let isEnded = false
  async function* items(): AsyncGenerator<number> {
    try {
      yield* endless()
    } finally {
      isEnded = true
    }
  }
  for await (const item of unhurried(items())) if (item === 3) break
  expect(isEnded).toBe(true)
})
