import { expect, test } from 'vitest'
import { nearestWord } from './nearest.ts'

test.each([
  ['instnces', ['instances', 'probe'], 'instances'],
  ['chekc', ['check', 'cache'], 'check'],
  ['./cmd/wbe', ['./cmd/api', './cmd/web'], './cmd/web'],
  ['linux/amd', ['linux/386', 'linux/amd64'], 'linux/amd64'], // the start of one
  ['stat', ['status', 'server'], 'status'],
])('%s is near to one of %j: %s', (word, known, nearest) => {
  expect(nearestWord(word, known)).toBe(nearest)
})

test.each([
  ['./cmd/web', ['./cmd/api']], // that both lie in cmd/ makes them no more alike
  ['linux/x64', ['linux/386', 'linux/arm64']],
  ['tols', ['logs']],
  ['re', ['releases']], // too short to be the start of anything
  ['s', ['up']],
  ['ser', ['server', 'services']], // of two
])('%s is near to none of %j', (word, known) => {
  expect(nearestWord(word, known)).toBeUndefined()
})
