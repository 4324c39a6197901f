import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chooseGo, type GoQuestion, readGoToolchain, supportedLines } from './choose-go.ts'
import { choosePruned } from './prune-toolchains.ts'
import { compareGoVersions, isGoRelease, languageLine } from './version.ts'

const wants = (version: string, line: 'go' | 'toolchain' = 'go') => ({ version, line, place: '/shop/go.mod:3' })
const ask = (question: Partial<GoQuestion>) => {
  const choice = chooseGo({ wanted: [], installed: [], ...question })
  return choice.kind === 'none'
    ? choice.message
    : choice.kind === 'fetch-newest'
      ? `fetch ${choice.line} from ${choice.floor}`
      : `${choice.kind} ${choice.version}`
}

test('an ordinary machine builds with the Go it has', () => {
  expect(ask({ wanted: [wants('1.26.0')], machine: '1.26.8' })).toBe('machine 1.26.8')
  expect(ask({ wanted: [wants('1.21')], machine: '1.26.8' })).toBe('machine 1.26.8')
  expect(ask({ machine: '1.26.8' })).toBe('machine 1.26.8')
})

test('a machine without Go, or with one too old, fetches the newest patch of the language that is asked for', () => {
  expect(ask({ wanted: [wants('1.25.3')] })).toBe('fetch 1.25 from 1.25.3')
  expect(ask({ wanted: [wants('1.27.0')], machine: '1.26.8' })).toBe('fetch 1.27 from 1.27.0')
  expect(ask({ wanted: [wants('1.26.9')], machine: '1.26.8' })).toBe('fetch 1.26 from 1.26.9')
  expect(ask({})).toBe('fetch newest from ')
})

test('the highest line counts, a toolchain line too', () => {
  expect(ask({ wanted: [wants('1.24'), wants('1.27.1', 'toolchain')], machine: '1.26.8' })).toBe(
    'fetch 1.27 from 1.27.1',
  )
})

test('the reason names the line that asks, and what there is', () => {
  const why = (question: Partial<GoQuestion>) => {
    const choice = chooseGo({ wanted: [wants('1.26')], installed: [], ...question })
    return choice.kind === 'none' ? '' : choice.why
  }
  expect(why({ machine: '1.26.8' })).toBe('/shop/go.mod:3 asks for Go 1.26; this machine has Go 1.26.8')
  expect(why({ machine: '1.27.1' })).toContain('this machine has Go 1.27.1, which is newer')
  expect(why({ machine: '1.24.1', installed: ['1.26.5'] })).toBe(
    '/shop/go.mod:3 asks for Go 1.26; this machine has Go 1.24.1, and 1.26.5 was fetched before',
  )
  expect(why({ installed: ['1.26.5'] })).toContain('there is no `go` on the PATH, and 1.26.5 was fetched before')
})

test('what was fetched before is taken where it is of the language, without a look at the network', () => {
  expect(ask({ wanted: [wants('1.25.3')], machine: '1.26.8', installed: ['1.25.13', '1.25.4'] })).toBe(
    'installed 1.25.13',
  )
  expect(ask({ wanted: [wants('1.26.9')], machine: '1.26.8', installed: ['1.26.10'] })).toBe('installed 1.26.10')
})

test('a newer language that was fetched is what is left where nothing can be', () => {
  const choice = chooseGo({ wanted: [wants('1.25.3')], installed: ['1.27.4', '1.26.8'] })
  expect(choice).toMatchObject({ kind: 'fetch-newest', line: '1.25', instead: { version: '1.27.4' } })
})

test('a toolchain line only suggests: where that one cannot be had, what is here and new enough for the go line is left', () => {
  const suggested = { version: '1.26.10', line: 'toolchain', place: '/shop/go.mod:5' } as const
  expect(chooseGo({ wanted: [wants('1.26.0'), suggested], machine: '1.26.8', installed: [] })).toMatchObject({
    kind: 'fetch-newest',
    floor: '1.26.10',
    instead: { kind: 'machine', version: '1.26.8' },
  })
  const installed = { wanted: [wants('1.26.5'), suggested], machine: '1.26.4', installed: ['1.26.6', '1.26.7'] }
  expect(chooseGo(installed)).toMatchObject({ instead: { kind: 'installed', version: '1.26.7' } })
  expect(chooseGo({ wanted: [wants('1.26.9'), suggested], machine: '1.26.8', installed: [] })).not.toHaveProperty(
    'instead',
  )
})

test('a pin is exact', () => {
  const pin = { version: '1.26.7', by: 'fairway.yaml' }
  expect(ask({ pin, machine: '1.26.8' })).toBe('fetch 1.26.7')
  expect(ask({ pin, machine: '1.26.7' })).toBe('machine 1.26.7')
  expect(ask({ pin, installed: ['1.26.8', '1.26.7'] })).toBe('installed 1.26.7')
  expect(ask({ pin, wanted: [wants('1.27')] })).toBe('fairway.yaml says Go 1.26.7, but /shop/go.mod:3 asks for Go 1.27')
})

test('the default of this home is taken where it is new enough', () => {
  expect(ask({ preferred: '1.26.7', installed: ['1.26.7'], machine: '1.26.8', wanted: [wants('1.25')] })).toBe(
    'installed 1.26.7',
  )
  expect(ask({ preferred: '1.26.7', installed: ['1.26.7'], machine: '1.26.8', wanted: [wants('1.26.8')] })).toBe(
    'machine 1.26.8',
  )
})

test('in the place of a line without security fixes a newer one that is here and gets them is taken', () => {
  const old = { wanted: [wants('1.22')], oldestSupported: '1.25' }
  expect(ask({ ...old, installed: ['1.26.8', '1.25.13'] })).toBe('installed 1.26.8')
  expect(ask({ ...old, installed: ['1.26.8', '1.22.12'] })).toBe('installed 1.26.8')
  expect(ask({ ...old, installed: ['1.25.13', '1.22.12'], machine: '1.26.8' })).toBe('machine 1.26.8')
  expect(chooseGo({ ...old, installed: ['1.26.8'] })).toMatchObject({
    isInstead: true,
    why: '/shop/go.mod:3 asks for Go 1.22, which gets no security fixes any more; a newer one that does is here',
  })
  // Nothing is fetched for it, no other old one is any better, and who has that very line on the machine means it.
  expect(ask(old)).toBe('fetch 1.22 from 1.22')
  expect(ask({ ...old, installed: ['1.24.13'] })).toBe('fetch 1.22 from 1.22')
  expect(ask({ ...old, installed: ['1.26.8'], machine: '1.22.2' })).toBe('machine 1.22.2')
  expect(ask({ ...old, installed: ['1.26.8'], pin: { version: '1.22.12', by: 'fairway.yaml' } })).toBe('fetch 1.22.12')
  // A line that gets them is built with its own newest patch.
  expect(ask({ wanted: [wants('1.25.3')], oldestSupported: '1.25', installed: ['1.26.8'] })).toBe(
    'fetch 1.25 from 1.25.3',
  )
})

test('GOTOOLCHAIN=local: what is wanted, by which line, and what is there', () => {
  const mayNotFetch = 'GOTOOLCHAIN=local'
  expect(ask({ wanted: [wants('1.99')], machine: '1.26.8', installed: ['1.25.13'], mayNotFetch })).toBe(
    '/shop/go.mod:3 asks for Go 1.99; this machine has Go 1.26.8; fetched before: 1.25.13, and GOTOOLCHAIN=local lets none be fetched',
  )
  expect(ask({ wanted: [wants('1.25'), wants('1.27.1', 'toolchain')], machine: '1.26.8', mayNotFetch })).toBe(
    'machine 1.26.8',
  )
  expect(ask({ wanted: [wants('1.25')], mayNotFetch })).toContain('there is no `go` on the PATH')
})

const version = fc.tuple(fc.integer({ min: 21, max: 28 }), fc.nat(12)).map(([minor, patch]) => `1.${minor}.${patch}`)

test('whatever is chosen is new enough, and nothing is fetched that is here', () => {
  fc.assert(
    fc.property(
      fc.array(version, { maxLength: 3 }),
      fc.option(version, { nil: undefined }),
      fc.array(version, { maxLength: 4 }),
      (lines, machine, installed) => {
        const wanted = lines.map((each) => wants(each))
        const choice = chooseGo({ wanted, installed, ...(machine === undefined ? {} : { machine }) })
        const isEnough = (each: string) => lines.every((line) => compareGoVersions(each, line) >= 0)
        if (choice.kind === 'machine' || choice.kind === 'installed') expect(isEnough(choice.version)).toBe(true)
        if (choice.kind !== 'fetch-newest') return
        expect(machine !== undefined && isEnough(machine)).toBe(false)
        expect(installed.some((each) => isEnough(each) && languageLine(each) === choice.line)).toBe(false)
      },
    ),
  )
})

test('GOTOOLCHAIN is read as go reads it', () => {
  expect(readGoToolchain('auto')).toEqual({ mayFetch: true })
  expect(readGoToolchain('local')).toEqual({ mayFetch: false })
  expect(readGoToolchain('path')).toEqual({ mayFetch: false })
  expect(readGoToolchain('go1.26.8')).toEqual({ pin: '1.26.8', mayFetch: true })
  expect(readGoToolchain('go1.26.8+auto')).toEqual({ floor: '1.26.8', mayFetch: true })
  expect(readGoToolchain('go1.26.8+path')).toEqual({ floor: '1.26.8', mayFetch: false })
  expect(readGoToolchain('newest please')).toBeUndefined()
})

test('the two newest lines are supported; a release is no trial and no language alone', () => {
  expect(supportedLines(['1.9.7', '1.25.13', '1.26.8', '1.27.4', '1.26.1'])).toEqual(['1.27', '1.26'])
  expect(supportedLines(['1.26.8', '1.27rc1', '1.22.0'])).toEqual(['1.26', '1.25'])
  expect(supportedLines([])).toEqual([])
  expect(['1.26.8', '1.20', '1.21.0'].map(isGoRelease)).toEqual([true, true, true])
  expect(['1.26', '1.27rc1', '1.26.8-custom', 'x'].map(isGoRelease)).toEqual([false, false, false, false])
})

test('what a newer patch replaced goes, and what nobody used; not the default, nor what is at work', () => {
  const day = 86_400_000
  const now = 100 * day
  const made = (each: string, usedDaysAgo: number) => ({ version: each, folder: '', usedAt: now - usedDaysAgo * day })
  const installed = [
    made('1.27.4', 40),
    made('1.26.8', 1),
    made('1.26.7', 1),
    made('1.26.6', 0),
    made('1.25.13', 50),
    made('1.25.12', 50),
  ]
  const pruned = choosePruned(installed, { preferred: '1.25.12', now })
  expect(pruned.map(({ version: each, why }) => `${each}: ${why}`)).toEqual([
    '1.27.4: not used for 30 days',
    '1.26.7: 1.26.8 replaces it',
    '1.25.13: not used for 30 days',
  ])
})
