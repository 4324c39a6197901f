import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandTable } from '../../src/cli/command-table.ts'
import { loadedBy, root } from './imports.ts'

/** What these load costs more than all the rest of a plain command. */
const dear = /^(zod|yaml|kysely|fastify|node:(http|https|tls|sqlite))$|^src\/\w+\/index\.ts$/

/** They read source, or look at the machine with what the domains know of it. */
const heavy = new Set([
  'up',
  'doctor',
  'build',
  'image',
  'sbom',
  'schema',
  'config explain',
  'config check',
  'config diff',
  'init',
  'check',
  'mod outdated',
  'mod why',
  'mod diff',
  'mod tidy',
  'mod replace',
  'mod licences',
  'lint layout',
  ...['list', 'install', 'use', 'prune', 'verify'].map((verb) => `toolchain ${verb}`),
  'verify',
  'cache status',
  'cache verify',
  'cache prune',
  'bundle export',
  'bundle import',
])

/** Loaded by `import()` on the way of a plain command that goes well. */
const onTheWay = ['src/cli/follow.ts', 'src/cli/report/plain.ts', 'src/cli/report/live.ts', 'src/cli/report/json.ts']

const modules = moduleOfCommands()

/** 'status' → 'src/cli/commands/read.ts': from the text, where the table's functions have lost their paths. */
function moduleOfCommands(): ReadonlyMap<string, string> {
  const text = readFileSync(join(root, 'src/cli/command-table.ts'), 'utf8')
  const named = new Map(
    Array.from(text.matchAll(/^const (\w+) = \(\) => import\('\.\/([^']+)'\)/gm), ([, name = '', path = '']) => [
      name,
      path,
    ]),
  )
  const rows = text.matchAll(/words: '([^']+)',[\s\S]*?load: (?:\(\) => import\('\.\/([^']+)'\)|(\w+)),/g)
  return new Map(
    Array.from(rows, ([, words = '', path, name = '']) => [words, `src/cli/${path ?? named.get(name) ?? ''}`]),
  )
}

test('the table was read whole', () => {
  expect([...modules.keys()]).toEqual(commandTable.map(({ words }) => words))
})

test.for(commandTable.flatMap(({ words }) => (heavy.has(words) ? [] : [words])))(
  'fairway %s loads neither schemas, server, store nor HTTP client',
  (words) => {
    const loaded = loadedBy(['src/cli/main.ts', modules.get(words) ?? '', ...onTheWay])
    expect([...loaded].filter((file) => dear.test(file))).toEqual([])
  },
)

test('the process within the sandbox of a trial starts without them too', () => {
  const loaded = loadedBy(['src/trial/sandbox/main.ts'])
  expect([...loaded].filter((file) => dear.test(file))).toEqual([])
})
