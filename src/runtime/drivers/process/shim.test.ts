import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { exitStatus, parseStatusFile, refuseVariable, shimArgv } from './shim.ts'

const statLine = '4242 (sh) S 4240 4242 4242 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 987654 0 0\n'

test('no value and no name gets into the shim’s text', () => {
  const tools = { setsid: '/usr/bin/setsid', setpriv: '/usr/bin/setpriv' }
  const words = ['./web', '$(id)', '; rm -rf /']
  const argv = shimArgv(tools, ['./web', ...words.slice(1)], { dropped: true })
  const texts = argv.filter((_, i) => argv[i - 1] === '-c')
  expect(texts).toHaveLength(2)
  for (const text of texts) for (const word of words) expect(text).not.toContain(word)
  expect(argv.slice(-3)).toEqual(words)
})

test('the status file tells who runs and how it ended, and a line without its end tells nothing', () => {
  expect(parseStatusFile('')).toEqual({})
  expect(parseStatusFile(`started ${statLine}`)).toEqual({ program: { pid: 4242, startTicks: 987_654 } })
  expect(parseStatusFile(`started ${statLine}exit 143\n`)).toMatchObject({ exit: 143, program: { pid: 4242 } })
  expect(parseStatusFile(`started ${statLine}exit 14`)).not.toHaveProperty('exit')
  expect(parseStatusFile(`started ${statLine.slice(0, 60)}`)).toEqual({})
})

test('no text names a process that must never be signalled', () => {
  const lines = fc.array(
    fc.oneof(
      fc.string(),
      fc.tuple(fc.integer(), fc.string()).map(([pid, rest]) => `started ${pid} (x) ${rest}`),
    ),
  )
  fc.assert(
    fc.property(lines, (lines) => {
      const { program } = parseStatusFile(lines.join('\n'))
      return program === undefined || (program.pid > 1 && Number.isFinite(program.startTicks))
    }),
  )
  expect(parseStatusFile(`started ${statLine.replace('4242', '1')}`)).toEqual({})
})

test('a shell’s status says signal or exit', () => {
  expect(exitStatus(0)).toEqual({ kind: 'exit', code: 0 })
  expect(exitStatus(127)).toEqual({ kind: 'exit', code: 127 })
  expect(exitStatus(137)).toEqual({ kind: 'signal', signal: 'SIGKILL' })
  expect(exitStatus(143)).toEqual({ kind: 'signal', signal: 'SIGTERM' })
  expect(exitStatus(255)).toEqual({ kind: 'exit', code: 255 })
})

test('what a shell would lose or change on the way is refused', () => {
  for (const name of ['', '1A', 'A-B', 'a.b', 'A=B', 'A B', 'PWD', 'IFS', '_', 'fairway_shim']) {
    expect(refuseVariable(name, 'x')).toBeDefined()
  }
  expect(refuseVariable('A', 'a\0b')).toBeDefined()
  for (const name of ['A', '_A', 'path', 'PORT', 'A1']) expect(refuseVariable(name, 'x\n"\'$')).toBeUndefined()
})
