import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { execOk } from '../../../base/exec.ts'
import { exitStatus, ownValues, parseStatusFile, refuseVariable, shimCommand } from './shim.ts'

const statLine = '4242 (sh) S 4240 4242 4242 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 987654 0 0\n'

const tools = { setsid: '/usr/bin/setsid', setpriv: '/usr/bin/setpriv', unshare: '/usr/bin/unshare' }
const user = { uid: 70_123, gid: 70_123 }

test('no value and no name gets into the shim’s text', () => {
  const words = ['./web', '$(id)', '; rm -rf /']
  const { argv } = shimCommand(tools, ['./web', ...words.slice(1)], { NAME: 'its-value' }, { user })
  const texts = argv.filter((_, i) => argv[i - 1] === '-c')
  expect(texts).toHaveLength(3)
  for (const text of texts) for (const word of [...words, 'NAME', 'its-value']) expect(text).not.toContain(word)
  expect(argv.slice(-3)).toEqual(words)
})

test('what runs as root sees none of the program’s variables by its name', () => {
  const env = { LD_PRELOAD: './evil.so', PATH: '/tmp' }
  const seen = shimCommand(tools, ['./web'], env, { user }).env
  expect(Object.keys(seen).filter((name) => !name.startsWith('fairway_'))).toEqual([])
  expect(ownValues(seen)).toEqual(env)
  expect(ownValues(shimCommand(tools, ['./web'], env, {}).env)).toEqual(env)
})

test('with a network of its own the shim itself begins apart, before anything of the program is touched', () => {
  const network = { host: '10.83.16.3', ports: [8080], machinePorts: [] }
  const { argv } = shimCommand(tools, ['./web'], {}, { user, network })
  expect(argv.slice(0, 4)).toEqual([tools.unshare, '--net', '--', '/bin/sh'])
  expect(argv.slice(3)).toEqual(shimCommand(tools, ['./web'], {}, { user }).argv)
})

test('values reach the program byte for byte under their own names', async () => {
  const values = fc.dictionary(
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/).filter((name) => refuseVariable(name, '') === undefined),
    fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '').toWellFormed()),
  )
  await fc.assert(
    fc.asyncProperty(values, async (values) => {
      const { argv, env } = shimCommand(tools, ['/usr/bin/env', '-0'], values, { user })
      const [sh, ...rest] = argv.slice(argv.indexOf('--no-new-privs') + 1)
      const { stdout } = await execOk([sh ?? '', ...rest], { env })
      const seen = stdout.split('\0').filter((pair) => pair !== '' && !/^(SHLVL|_)=/.test(pair)) // bash adds these
      expect(seen.sort()).toEqual(
        Object.entries(values)
          .map(([name, value]) => `${name}=${value}`)
          .sort(),
      )
    }),
    { numRuns: 50 },
  )
})

test('the status file tells who runs and how it ended, and a line without its end tells nothing', () => {
  expect(parseStatusFile('')).toEqual({})
  expect(parseStatusFile(`started ${statLine}`)).toEqual({ program: { pid: 4242, startTicks: 987_654 } })
  expect(parseStatusFile(`started ${statLine}exit 143\n`)).toMatchObject({ exit: 143, program: { pid: 4242 } })
  expect(parseStatusFile(`started ${statLine}started 1${statLine}`)).toMatchObject({ program: { pid: 4242 } })
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
  for (const name of ['', '1A', 'A-B', 'a.b', 'A=B', 'A B', 'PWD', 'IFS', '_', 'fairway_shim', 'fairway_value_A']) {
    expect(refuseVariable(name, 'x')).toBeDefined()
  }
  expect(refuseVariable('A', 'a\0b')).toBeDefined()
  for (const name of ['A', '_A', 'path', 'PORT', 'A1']) expect(refuseVariable(name, 'x\n"\'$')).toBeUndefined()
})
