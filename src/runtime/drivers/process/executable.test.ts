import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { explainFormat } from './executable.ts'

const elf = (machine: number, { bigEndian = false } = {}) => {
  const head = Buffer.alloc(64)
  head.write('\x7fELF', 'latin1')
  head[5] = bigEndian ? 2 : 1
  if (bigEndian) head.writeUInt16BE(machine, 18)
  else head.writeUInt16LE(machine, 18)
  return head
}

test('what the kernel would run passes', () => {
  expect(explainFormat(elf(62), 'x64')).toBeUndefined()
  expect(explainFormat(elf(3), 'x64')).toBeUndefined()
  expect(explainFormat(elf(183), 'arm64')).toBeUndefined()
  expect(explainFormat(Buffer.from('#!/bin/sh\n'), 'x64')).toBeUndefined()
  expect(explainFormat(elf(62), 'an architecture we know nothing of')).toBeUndefined()
})

test('what it would not is named', () => {
  expect(explainFormat(elf(183), 'x64')).toBe('it is built for arm64, this machine is amd64')
  expect(explainFormat(elf(62), 'arm64')).toBe('it is built for amd64, this machine is arm64')
  expect(explainFormat(elf(21, { bigEndian: true }), 'x64')).toMatch(/machine 21/)
  expect(explainFormat(Buffer.from('MZ\x90\0'), 'x64')).toMatch(/Windows/)
  expect(explainFormat(Buffer.from('cffaedfe', 'hex'), 'x64')).toMatch(/macOS/)
  expect(explainFormat(Buffer.from('echo hello\n'), 'x64')).toMatch(/#! line/)
  expect(explainFormat(Buffer.alloc(0), 'x64')).toMatch(/empty/)
})

test('no content makes it throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (head) => typeof explainFormat(head, 'x64') !== 'number'))
})
