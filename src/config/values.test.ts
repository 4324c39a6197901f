import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDotenv } from './dotenv.ts'
import { parseProjectFile } from './project-file.ts'
import { specify } from './specify.ts'
import { diffValues, resolveValues, type ValueSources } from './values.ts'

function resolve(yaml: string, files: Readonly<Record<string, string>>, stored: Record<string, number> = {}) {
  const { services } = specify(parseProjectFile(yaml).file, { project: 'shop', environment: 'dev', names: ['web'] })
  const layers: ValueSources['layers'] = ['.env', '.env.dev', '.env.dev.local']
    .filter((name) => files[name] !== undefined)
    .map((name) => ({ name, local: name.endsWith('.local'), entries: parseDotenv(files[name] ?? '').entries }))
  const resolved = resolveValues({
    environment: 'dev',
    services,
    layers,
    stored: new Map(Object.entries(stored)),
    lineOf: () => 7,
  })
  return {
    ...resolved,
    web: resolved.values.get('web') ?? {},
    messages: resolved.findings.map(({ kind, message }) => `${kind}: ${message}`),
  }
}

const declare = (config: string) => `services: { web: { config: ${config} } }`
const all = { '.env': 'A=1', '.env.dev': 'A=2', '.env.dev.local': 'A=3' }

test('the later layer wins, and a stored secret over all files', () => {
  const yaml = declare('{ A: { type: int, default: 0 } }')
  const value = (files: Record<string, string>, stored = {}) => resolve(yaml, files, stored).web['A']
  expect(value({})).toEqual({ value: '0', secret: false, asFile: false })
  expect(value({ '.env': 'A=1' })).toMatchObject({ value: '1' })
  expect(value({ '.env': 'A=1', '.env.dev': 'A=2' })).toMatchObject({ value: '2' })
  expect(value(all)).toMatchObject({ value: '3' })
  expect(value(all, { A: 4 })).toEqual({ storedVersion: 4, secret: true, asFile: false })
})

test('a trace shows every layer with its place, and which won', () => {
  expect(resolve(declare('{ A: { default: 0 } }'), all).traces[0]?.layers).toEqual([
    { layer: 'fairway.yaml', line: 7, value: '0', wins: false },
    { layer: '.env', line: 1, value: '1', wins: false },
    { layer: '.env.dev', line: 1, value: '2', wins: false },
    { layer: '.env.dev.local', line: 1, value: '3', wins: true },
  ])
})

test('a secret shows in no trace and no finding', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-zA-Z0-9]{12,20}$/),
      fc.constantFrom('.env', '.env.dev', '.env.dev.local'),
      (secret, file) => {
        const { traces, findings } = resolve(declare('{ A: { secret: true, type: int } }'), { [file]: `A=x${secret}` })
        expect(JSON.stringify({ traces, findings })).not.toContain(secret)
        expect(findings.map(({ kind }) => kind)).toEqual(['ill-typed'])
      },
    ),
  )
})

test('what this machine’s own file holds undeclared is a secret; declared, the declaration decides', () => {
  expect(resolve('', { '.env.dev.local': 'A=1' }).web['A']).toMatchObject({ secret: true })
  expect(resolve('', { '.env': 'A=1' }).web['A']).toMatchObject({ secret: false })
  expect(resolve(declare('{ A: {} }'), { '.env.dev.local': 'A=1' }).web['A']).toMatchObject({ secret: false })
})

test('a key one service declares is that one’s alone; an undeclared one reaches all', () => {
  const yaml = 'services: { web: { config: { A: {} } }, worker: { listen: none } }'
  const { values } = resolve(yaml, { '.env': 'A=1\nB=2' })
  expect(Object.keys(values.get('web') ?? {})).toEqual(['A', 'B'])
  expect(Object.keys(values.get('worker') ?? {})).toEqual(['B'])
})

test('missing, empty, ill-typed and reserved keys are all found at once, with the file to write', () => {
  const yaml = declare(
    '{ URL: { required: true }, KEY: { required: true, secret: true }, N: { type: int }, P: { type: port, required: true } }',
  )
  expect(resolve(yaml, { '.env': 'N=many\nPORT=8080\nP=' }).messages).toEqual([
    'missing: fairway.yaml:7: KEY is required by web and has no value: write it to .env.dev.local, or `fairway secret set KEY --env dev`',
    'ill-typed: .env:1: N: expected a whole number, found "many"',
    'missing: fairway.yaml:7: P is required by web and is empty in .env:3: write it to .env.dev',
    'reserved: .env:2: PORT is reserved: Fairway gives each instance of web its own; remove the line, or let `listen` name another variable',
    'missing: fairway.yaml:7: URL is required by web and has no value: write it to .env.dev',
  ])
})

test('what a shell keeps for itself cannot be a value: it would never arrive', () => {
  expect(resolve(declare('{}'), { '.env': 'PWD=/x' }).messages).toEqual([
    'reserved: .env:1: PWD is reserved: a shell sets it itself and would not pass it on; choose another name',
  ])
})

test('the variable that names a secret’s file cannot be set beside it', () => {
  const { messages } = resolve(declare('{ KEY: { as: file } }'), { '.env': 'KEY=1\nKEY_FILE=/x' })
  expect(messages.at(-1)).toContain('reserved: KEY_FILE is reserved')
})

test('PORT is a key like any other where the port comes as an argument', () => {
  expect(
    resolve('services: { web: { listen: { arg: "--port={{port}}" } } }', { '.env': 'PORT=1' }).web['PORT'],
  ).toMatchObject({ value: '1' })
})

test('undeclared and unused keys are said and stop nothing', () => {
  expect(resolve(declare('{ A: {} }'), { '.env': 'B=1' }).findings.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
    'unused A',
    'undeclared B',
  ])
})

test('a diff names what was added, removed and changed, and hides what was or is a secret', () => {
  const open = (value: string) => ({ value, secret: false, asFile: false })
  const secret = (storedVersion: number) => ({ storedVersion, secret: true as const, asFile: false })
  expect(
    diffValues(
      { A: open('1'), B: open('1'), C: secret(1), D: open('x'), E: open('1') },
      { A: open('2'), C: secret(2), D: secret(1), E: open('1'), F: open('3') },
    ),
  ).toEqual([
    { key: 'A', change: 'changed', before: '1', after: '2' },
    { key: 'B', change: 'removed', before: '1' },
    { key: 'C', change: 'changed', before: '[secret]', after: '[secret]' },
    { key: 'D', change: 'changed', before: '[secret]', after: '[secret]' },
    { key: 'F', change: 'added', after: '3' },
  ])
})
