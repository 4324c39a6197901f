import { expect, test } from 'vitest'
import { parseCommandLine } from './command-line.ts'
import { commandTable } from './command-table.ts'
import type { CommandSpec } from './command.ts'

function parse(words: readonly string[]) {
  let printed = ''
  const output = { out: (text: string) => (printed += text), err: (text: string) => (printed += text) }
  return { ...parseCommandLine(words, output), printed: () => printed }
}

test.for(commandTable)('fairway help $words has its summary and an example that is understood', (spec) => {
  const { kind, printed } = parse([...spec.words.split(' '), '--help'])
  expect(kind).toBe('end')
  expect(printed()).toContain(spec.summary)
  expect(spec.examples.length).toBeGreaterThan(0)
  for (const [example, what] of spec.examples) {
    expect(printed()).toContain(example)
    expect(printed()).toContain(what)
    expect(parse(wordsOf(example))).toMatchObject({ kind: 'run', input: { words: spec.words } })
  }
})

/** What a shell would hand over: 'source <(fairway completion bash)' → ['completion', 'bash'] */
function wordsOf(example: string): string[] {
  const command = /fairway ([^<>|)#]*)/.exec(example)?.[1] ?? ''
  return command.trim().split(' ')
}

test('help shows a command and never runs it, and every group says what it is for', () => {
  for (const { words } of commandTable) expect(parse(['help', ...words.split(' ')])).toMatchObject({ kind: 'end' })
  const groups = new Set(commandTable.flatMap(({ words }) => (words.includes(' ') ? [words.split(' ')[0] ?? ''] : [])))
  for (const group of groups) expect(parse([group]).printed()).toMatch(/^Usage: [^\n]+\n\n[A-Z][^\n]{20,70}[^.]\n\n/)
})

test('every command has its own name, and none stands for a group as well', () => {
  const names = commandTable.map(({ words }) => words)
  expect(new Set(names).size).toBe(names.length)
  const groups = new Set(names.flatMap((name) => (name.includes(' ') ? [name.split(' ')[0]] : [])))
  expect(names.filter((name) => groups.has(name))).toEqual([])
})

test('options of every command are understood before and after it', () => {
  for (const words of [
    ['status', '--env', 'prod', '--json'],
    ['--env', 'prod', '--json', 'status'],
  ]) {
    expect(parse(words)).toMatchObject({
      options: { env: 'prod', json: true },
      input: { words: 'status' },
    })
  }
})

test('an option of a command is none of another', () => {
  expect(() => parse(['status', '--to', '3'])).toThrow(/unknown option '--to'/)
  expect(() => parse(['--to', '3', 'rollback'])).toThrow(/unknown option '--to'/)
})

test('what stands after -- belongs to the program', () => {
  const { kind, ...rest } = parse(['run', 'web', '--', './web', '--json', '--help', '-n'])
  expect(kind).toBe('run')
  expect(rest).toMatchObject({ input: { positionals: ['web', './web', '--json', '--help', '-n'] } })
  expect(rest).not.toHaveProperty('options.json')
})

test.for<[readonly string[], string]>([
  [['staus'], 'Did you mean `fairway status`?'],
  [['relases'], 'Did you mean `fairway releases`?'],
  [['server', 'strat'], 'Did you mean `fairway server start`? `fairway help server` lists its commands.'],
  [['server', 'nope'], '`fairway help server` lists its commands.'],
  [['tidy'], 'Did you mean `fairway mod tidy`?'],
  [['mod-tidy'], 'Did you mean `fairway mod tidy`?'],
  [['toolchain', 'use'], '`fairway help toolchain use` shows what it takes, with examples.'],
  [['up', '--paln'], 'Did you mean --plan?'],
  [['up', '--projekt', '.'], 'Did you mean --project?'],
  [['help', 'rolback'], 'Did you mean `fairway rollback`?'],
  [['help', 'nope'], '`fairway help` lists the commands'],
  [['help', 'rollout', 'shw'], 'Did you mean `fairway rollout show`?'],
])('%j is refused with the nearest word', ([words, hint]) => {
  expect(() => parse(words)).toThrow(expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining(hint) }))
})

test('a word that is near to no command is not guessed at', () => {
  for (const word of ['tols', 'nope', 'foo', 'deploy']) {
    expect(() => parse([word])).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^`fairway help` lists/) }),
    )
  }
})

test.for(['--home', '--project', '--env', '--server', '--token-file'])(
  '%s of a variable that is not set is refused, not taken for the default',
  (flag) => {
    for (const words of [
      ['status', `${flag}=`],
      ['status', flag, ''],
      [`${flag}=`, 'status'],
    ]) {
      expect(() => parse(words)).toThrow(
        expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(`${flag}: expected <`) }),
      )
    }
  },
)

test.for([
  ['rollout', 'show', '99999'],
  ['status', 'web', 'Web'],
  ['scale', '2', '../x'],
  ['config', 'diff', '1', '2', ''],
])('%s %s …: what cannot be a service’s name is refused with the rule', (words) => {
  expect(() => parse(words)).toThrow(
    expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('1 to 32 lower-case letters') }),
  )
})

test('a group alone shows its commands', () => {
  const { kind, printed } = parse(['rollout'])
  expect(kind).toBe('end')
  for (const word of ['show', 'abort', 'promote']) expect(printed()).toContain(word)
})

test('summaries are sentences of one line', () => {
  const summaries = commandTable.map(({ summary }: CommandSpec) => summary)
  expect(summaries.filter((summary) => !/^[A-Z][^\n]{8,90}[^.]$/.test(summary))).toEqual([])
})
