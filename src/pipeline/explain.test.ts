import { expect, test } from 'vitest'
import { type ExplainedService, withStart } from './explain.ts'

const explained: ExplainedService = {
  service: 'shop',
  package: '.',
  why: 'it is the only main package',
  candidates: [],
  goVersion: 'go1.26.8',
  whyGo: 'go.mod:3 asks for Go 1.26; this machine has Go 1.26.8',
  flags: [],
  facts: [
    {
      topic: 'files',
      says: 'nothing goes along with the binary',
      why: 'its source reads files by their path: page.html (main.go:8, ParseFiles)',
      setting: { key: ['files'], value: ['page.html'] },
      isChosen: false,
      line: 'files: [page.html]',
    },
  ],
  files: [],
  listen: { kind: 'env', name: 'PORT' },
  probe: { kind: 'tcp' },
}
const found = { listen: explained.listen, probe: { kind: 'http', path: '/healthz' } as const }

test('files that trying it out found go along: nothing says otherwise any more', () => {
  const { facts, files, probe } = withStart(explained, { ...found, files: ['page.html', 'static'] })
  expect(facts).toMatchObject([
    { says: 'beside the binary: page.html, static', isChosen: true, line: 'files: [page.html, static]' },
  ])
  expect({ files, probe }).toEqual({ files: ['page.html', 'static'], probe: found.probe })
})

test('where none was found, and where fairway.yaml says which, it stays as it was', () => {
  expect(withStart(explained, { ...found, files: [] }).facts).toEqual(explained.facts)
  const said = { topic: 'files', says: 'beside the binary: x', why: 'fairway.yaml says so', isChosen: true } as const
  expect(withStart({ ...explained, facts: [said] }, { ...found, files: ['x'] }).facts).toEqual([said])
})
