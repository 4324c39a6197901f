import { expect, test } from 'vitest'
import { tarHeader } from './tar.ts'

test('a name that fits is one header of 512 bytes; 256 bytes with a good place to split too; else a record comes before', () => {
  const header = (path: string) => tarHeader({ path, kind: 'file', mode: 0o644, size: 0 })
  expect(header('a'.repeat(100)).length).toBe(512)
  expect(header(`${'a'.repeat(155)}/${'b'.repeat(100)}`).length).toBe(512)
  expect(header('a'.repeat(101)).length).toBe(1536)
  expect(header('é').length).toBe(1536)
})

test('a record counts its own length, at every border of digits', () => {
  for (let length = 80; length <= 1100; length += 1) {
    const path = 'é'.repeat(Math.ceil(length / 2))
    const body = tarHeader({ path, kind: 'file', mode: 0o644, size: 0 }).subarray(512, -512)
    const text = body.toString('utf8').replace(/\0+$/, '')
    expect(text).toBe(`${Buffer.byteLength(text)} path=${path}\n`)
  }
})
