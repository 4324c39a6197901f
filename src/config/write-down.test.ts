import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseProjectFile } from './project-file.ts'
import { lineDiff, writeDown } from './write-down.ts'

const build = (service: string, value: string) => ({ path: ['services', service, 'build'], value })

test('lines are added where nothing is said, and what is said stays', () => {
  const text = '# shop\nproject: shop\nservices:\n  web: {} # one\n  api:\n    build: ./mine\n'
  const {
    text: result,
    added,
    kept,
  } = writeDown(text, [build('web', './cmd/web'), build('api', './cmd/api'), build('new', '.')])
  expect(added.map(({ path }) => path.join('.'))).toEqual(['services.web.build', 'services.new.build'])
  expect(kept).toEqual([{ ...build('api', './cmd/api'), written: './mine' }])
  for (const comment of ['# shop', '# one']) expect(result).toContain(comment)
  expect(parseProjectFile(result).file.services).toMatchObject({
    web: { build: './cmd/web' },
    api: { build: './mine' },
    new: { build: '.' },
  })
})

test('a file that is not there begins with them', () => {
  expect(writeDown('', [build('web', '.')]).text).toBe('services:\n  web:\n    build: .\n')
})

test('a service behind an alias has no place for a line of its own', () => {
  const text = 'services:\n  a: &x { instances: 2 }\n  b: *x\n'
  expect(() => writeDown(text, [build('b', '.')])).toThrow('services.b is no mapping of its own')
})

test('writing down twice changes nothing more', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { maxLength: 5 })
  fc.assert(
    fc.property(names, names, (there, found) => {
      const text = there.length === 0 ? '' : `services:\n${there.map((name) => `  ${name}:\n`).join('')}`
      const lines = found.map((name) => build(name, `./cmd/${name}`))
      const once = writeDown(text, lines)
      expect(writeDown(once.text, lines)).toMatchObject({ text: once.text, added: [], kept: [] })
    }),
  )
})

test('a difference shows what goes and what comes, and what is near', () => {
  expect(lineDiff('', 'a\n')).toEqual(['+ a'])
  expect(lineDiff('a\nb\nc\n', 'a\nx\nc\n')).toEqual(['  a', '- b', '+ x', '  c'])
  const lines = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 })
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const text = (all: string[]) => all.map((line) => `${line}\n`).join('')
      const marked = lineDiff(text(before), text(after))
      const came = marked.filter((line) => line.startsWith('+')).length
      const went = marked.filter((line) => line.startsWith('-')).length
      expect(came - went).toBe(after.length - before.length)
      if (before.join() === after.join()) expect(marked).toEqual([])
    }),
  )
})
