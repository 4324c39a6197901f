import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { errorCatalogue } from '../../src/base/error.ts'
import { outcomes } from '../../src/base/outcome.ts'
import { commandTable, globalOptions } from '../../src/cli/command-table.ts'
import { allOperations } from '../../src/server/operations.ts'
import { commandsPageText } from '../../scripts/commands-page.ts'
import { lintPageText } from '../../scripts/lint-page.ts'
import { operationTableText } from '../../scripts/operation-table.ts'
import { root, sourceFiles } from './imports.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = ['README.md', 'CONTRIBUTING.md', ...markdownIn('docs'), ...markdownIn('examples')]

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
}

test('each error has its page, and each page its error', () => {
  const codes = Object.keys(errorCatalogue)
  const found = readdirSync(join(root, 'docs/errors')).map((name) => name.replace(/\.md$/, ''))
  expect(found.toSorted()).toEqual([...codes, 'README'].toSorted())
})

test.for(Object.entries(errorCatalogue))(
  'the page of %s says its title, exit status and HTTP status',
  ([code, entry]) => {
    const text = read(`docs/errors/${code}.md`)
    expect(text).toContain(`# ${code}: ${entry.title}\n`)
    expect(text).toContain(`Exit status ${entry.exit}, HTTP ${entry.http}.\n`)
    for (const heading of ['What happened', 'Why', 'What to do']) expect(text).toContain(`\n**${heading}.** `)
  },
)

test('the list of errors names each with its title', () => {
  const text = read('docs/errors/README.md')
  for (const [code, { title, exit }] of Object.entries(errorCatalogue)) {
    expect(text).toContain(`| [${code}](${code}.md) | ${title} | ${exit} |`)
  }
})

test('codes are thrown somewhere: no page describes what cannot happen', () => {
  const sources = sourceFiles('src').filter((file) => file !== 'src/base/error.ts' && !file.endsWith('.test.ts'))
  const text = [...sources.map(read), read('src/base/error.ts').split('export type ErrorCode')[1] ?? ''].join('\n')
  expect(Object.keys(errorCatalogue).filter((code) => !text.includes(code))).toEqual([])
})

test('the command line’s table is what the operations say', () => {
  expect(read('src/cli/generated/operations.ts')).toBe(operationTableText())
})

test('docs/commands.md is what the command table says', () => {
  expect(read('docs/commands.md')).toBe(commandsPageText())
})

test('docs/lint.md is what the rules say', () => {
  expect(read('docs/lint.md')).toBe(lintPageText())
})

test('every command the pages and messages name exists', () => {
  const firsts = new Set([...commandTable.map(({ words }) => words.split(' ')[0]), 'help'])
  const pairs = new Set(commandTable.map(({ words }) => words))
  const grouped = new Set(commandTable.flatMap(({ words }) => (words.includes(' ') ? [words.split(' ')[0]] : [])))
  // The manifest's first line begins as a command does.
  const sources = sourceFiles('src').filter((file) => file !== 'src/artifact/manifest.ts')
  const wrong = [...pages, ...sources].flatMap((file) =>
    commandsIn(read(file), file).flatMap(([first = '', second = '']) => {
      const isKnown = firsts.has(first) && (!grouped.has(first) || second === '' || pairs.has(`${first} ${second}`))
      return isKnown ? [] : [`${file}: fairway ${first} ${second}`]
    }),
  )
  expect(wrong).toEqual([])
})

/** `fairway up …` between backticks, and lines of code blocks that begin with it. */
function commandsIn(text: string, file: string): string[][] {
  const inTicks = text.matchAll(/`(?:sudo )?(?:\.\/|\.\.\/\.\.\/)?fairway ([a-z]+)(?: ([a-z]+))?/g)
  const inBlocks = file.endsWith('.md')
    ? text.matchAll(/^(?: {4})?(?:sudo )?(?:\.\/|\.\.\/\.\.\/)?fairway ([a-z]+)(?: ([a-z]+))?/gm)
    : []
  return [...inTicks, ...inBlocks].map(([, first = '', second = '']) => [first, second])
}

test('every flag the pages name exists', () => {
  const known = new Set(
    [...globalOptions, ...commandTable.flatMap(({ options = [] }) => options)].flatMap(
      ({ flags }) => flags.match(/--[a-z-]+/g) ?? [],
    ),
  )
  const wrong = pages.flatMap((file) =>
    Array.from(read(file).matchAll(/(?:^|`)(?:\.\/)?fairway [^`\n#|]*/gm)).flatMap(([line]) =>
      (line.split(' -- ')[0]?.match(/(?<=\s)--[a-z-]+/g) ?? [])
        .filter((flag) => !known.has(flag) && flag !== '--help' && flag !== '--version')
        .map((flag) => `${file}: ${flag}`),
    ),
  )
  expect(wrong).toEqual([])
})

test('every FAIRWAY_ variable of the pages is read by the code, and the other way round', () => {
  const named = (text: string) => text.match(/\bFAIRWAY_[A-Z_]+\b/g) ?? []
  const inCode = new Set(sourceFiles('src').flatMap((file) => named(read(file))))
  const inPages = new Set(pages.flatMap((file) => named(read(file))))
  expect([...inPages].filter((name) => !inCode.has(name))).toEqual([])
  expect([...inCode].filter((name) => !inPages.has(name) && !name.startsWith('FAIRWAY_TEST_'))).toEqual([])
})

test('every outcome, kind of event and operation stands in the pages', () => {
  const kinds = read('src/base/event.ts')
    .split('/** What the history keeps')[0]
    ?.matchAll(/kind: ('[a-z-]+'(?: \| '[a-z-]+')*)/g)
  const events = read('docs/events.md')
  for (const [, alternatives = ''] of kinds ?? []) {
    for (const kind of alternatives.split(' | ')) expect(events).toContain(`\`${kind.replaceAll("'", '')}\``)
  }
  for (const outcome of outcomes) expect(events).toContain(`| \`${outcome}\` |`)
  const api = read('docs/api.md')
  for (const { name } of allOperations) expect(api).toContain(`\`${name}\``)
})

test('links between pages lead somewhere', () => {
  const broken = pages.flatMap((file) =>
    Array.from(read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)).flatMap(([, to = '']) =>
      existsSync(join(root, dirname(file), to)) ? [] : [`${file}: ${to}`],
    ),
  )
  expect(broken).toEqual([])
})

test('make test, .ci/run and the launcher name scripts that exist', () => {
  const files = ['Makefile', '.ci/run', 'fairway', 'scripts/set-up.sh', 'scripts/prerequisites.sh', 'package.json']
  const missing = files.flatMap((file) =>
    Array.from(read(file).matchAll(/\b(?:scripts|bench|src)\/[\w./-]+\.(?:ts|sh)\b/g)).flatMap(([path]) =>
      existsSync(join(root, path)) ? [] : [`${file}: ${path}`],
    ),
  )
  expect(missing).toEqual([])
  expect(read('.ci/run')).toContain('exec make test')
})
