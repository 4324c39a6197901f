import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type TarEntry, tarEnd, tarHeader, tarPadding } from '../../src/image/tar.ts'

/** A part of a path as an artifact may have it: no control characters, at most 255 bytes. */
const part = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...Array.from('abcXYZ0189._-+ ')), minLength: 1, maxLength: 120 }),
    fc.string({ unit: fc.constantFrom(...Array.from('äß漢字😀é')), minLength: 1, maxLength: 60 }),
  )
  .filter((text) => !/^[. ]+$/.test(text) && Buffer.byteLength(text) <= 255)

const entries = fc.record({
  path: fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/')),
  content: fc.uint8Array({ maxLength: 1500 }),
  mode: fc.constantFrom(0o444, 0o555, 0o644, 0o755, 0o1777),
  uid: fc.integer({ min: 0, max: 65_535 }),
})

const archiveOf = (entry: TarEntry, content: Uint8Array) =>
  Buffer.concat([tarHeader(entry), content, tarPadding(content.length), tarEnd])

test('whatever the name, the system’s tar reads the same name, mode, owner and content', () => {
  fc.assert(
    fc.property(entries, ({ path, content, mode, uid }) => {
      const archive = archiveOf({ path, kind: 'file', mode, uid, size: content.length }, content)
      expect(archive.length % 512).toBe(0)
      const env = { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] ?? '' }
      const options = { input: archive, env, encoding: 'utf8' as const }
      const listed = execFileSync('tar', ['--numeric-owner', '--quoting-style=literal', '-tvf', '-'], options)
      expect(listed).toContain(` 1970-01-01 00:00 ${path}\n`)
      expect(listed).toContain(` ${uid}/0 `)
      const read = execFileSync('tar', ['-xOf', '-'], { input: archive, env })
      expect(Buffer.compare(read, Buffer.from(content))).toBe(0)
    }),
    { numRuns: 40 },
  )
})

test('a link keeps what it names, a folder its mode', () => {
  const link = archiveOf({ path: 'a', kind: 'link', mode: 0o777, size: 0, target: '../b' }, Buffer.alloc(0))
  expect(execFileSync('tar', ['-tvf', '-'], { input: link, encoding: 'utf8' })).toContain('a -> ../b')
  const folder = archiveOf({ path: 'tmp', kind: 'folder', mode: 0o1777, size: 0 }, Buffer.alloc(0))
  expect(execFileSync('tar', ['-tvf', '-'], { input: folder, encoding: 'utf8' })).toMatch(/^drwxrwxrwt .* tmp\/$/m)
})
