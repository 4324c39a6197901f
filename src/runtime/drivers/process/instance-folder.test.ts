import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkIncarnation, folderName, logPath, parseFolderName, parseRecord } from './instance-folder.ts'

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/)
const incarnations = fc.record({
  scope: fc.record({ project: name, environment: name, service: name }),
  release: fc.integer({ min: 1, max: 1e9 }),
  ordinal: fc.nat(1000),
  incarnation: fc.nat(1e6),
})

test('an incarnation comes back from the name of its folder', () => {
  fc.assert(
    fc.property(incarnations, (id) => {
      checkIncarnation(id)
      expect(parseFolderName(folderName(id))).toEqual(id)
      expect(folderName(id)).not.toContain('/')
      expect(logPath('/logs', id, 'out')).toMatch(
        /^\/logs\/[a-z0-9-]+\/[a-z0-9-]+\/[a-z0-9-]+\/\d+\/\d+-\d+\.\d+\.out$/,
      )
    }),
  )
})

test('what is no incarnation’s folder is passed over', () => {
  const names = [
    '',
    '.',
    '..',
    'lost+found',
    'a.b.c.1-1',
    'a.b.c.1-1.1.1',
    'a.b.C.1-1.1',
    'a.b.c.0-1.1',
    'a.b.c.01-1.1',
    'a..c.1-1.1',
  ]
  for (const folder of names) expect(parseFolderName(folder)).toBeUndefined()
  fc.assert(
    fc.property(fc.string(), (folder) => {
      const id = parseFolderName(folder)
      if (id !== undefined) checkIncarnation(id)
    }),
  )
})

test('a broken record adopts nobody', () => {
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"shim":{"pid":1,"startTicks":5},"bootId":"x","startedAt":0,"groups":[]}',
  ]) {
    expect(parseRecord(text)).toBeUndefined()
  }
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseRecord(text) === undefined))
})
