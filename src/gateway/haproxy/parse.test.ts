import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  parseInfo,
  parseMap,
  parseProcesses,
  parseServersState,
  parseSessions,
  parseStat,
  parseVersion,
  stateColumns,
} from './parse.ts'

/** As HAProxy 2.6.12 wrote it. */
const serversState = `1
# ${stateColumns.join(' ')}
1001 p.e.web 5 1-1.1 127.0.0.1 2 8 1 1 1 15 3 3 6 0 1 1 - 21001 - 0 0 - - 0
1001 p.e.web 6 1-2.1 ::1 0 1 1 1 1 15 3 0 14 0 1 1 - 21002 - 0 0 - - 0
1001 p.e.web 9 1-3.1 127.0.0.1 2 0 1 1 1 35 1 0 2 0 1 1 - 21003 - 0 0 - - 0

`

test('the state of servers: mode, address, health and whether a check runs', () => {
  const states = parseServersState(serversState)
  expect(states.map(({ name, mode, running, checkEnabled }) => ({ name, mode, running, checkEnabled }))).toEqual([
    { name: '1-1.1', mode: 'drain', running: true, checkEnabled: true },
    { name: '1-2.1', mode: 'shut', running: false, checkEnabled: true },
    { name: '1-3.1', mode: 'ready', running: true, checkEnabled: false },
  ])
  expect(states[1]?.address).toEqual({ host: '::1', port: 21002 })
  expect(parseServersState('1\n# be_id'.concat(serversState.slice(9)))).toHaveLength(3)
})

test('columns that a later HAProxy adds or moves do no harm', () => {
  const moved = ['srv_new', ...stateColumns].join(' ')
  const [state] = parseServersState(
    `1\n# ${moved}\nnew 1001 p.e.web 5 s 10.0.0.1 2 0 1 1 1 15 3 3 6 0 1 1 - 80 - 0 0 - - 0\n`,
  )
  expect(state).toMatchObject({ backend: 'p.e.web', name: 's', id: 5, address: { host: '10.0.0.1', port: 80 } })
})

test('whatever comes, a parser gives a value or an explained error', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `${serversState}${text}`),
      ),
      (text) => {
        for (const parse of [parseServersState, parseStat, parseProcesses]) {
          try {
            parse(text)
          } catch (error) {
            expect(error).toMatchObject({ code: 'GATEWAY_REFUSED' })
          }
        }
        parseInfo(text)
        parseMap(text)
        parseVersion(text)
        parseSessions(text, 'b', 's')
      },
    ),
  )
})

test('any table of statistics is read back as it was written', () => {
  const columns = fc.uniqueArray(fc.stringMatching(/^[a-z_]{1,8}$/), { minLength: 1, maxLength: 6 })
  const tables = columns.chain((names) =>
    fc.record({
      names: fc.constant(names),
      rows: fc.array(fc.array(fc.string(), { minLength: names.length + 1, maxLength: names.length + 1 })),
    }),
  )
  fc.assert(
    fc.property(tables, ({ names, rows }) => {
      const quoted = (field: string) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)
      const lines = rows.map((row) => `${row.map(quoted).join(',')},\n`).join('')
      const expected = rows.map((row) =>
        Object.fromEntries([['pxname', row[0]], ...names.map((name, at) => [name, row[at + 1]])]),
      )
      const read = parseStat(`# pxname,${names.join(',')},\n${lines}`)
      // The comma at the end of each line makes a column without a name.
      expect(read).toEqual(expected.map((row) => ({ ...row, '': '' })))
    }),
  )
})

test('the master tells its worker from those it replaced', () => {
  const processes = parseProcesses(`#<PID>          <type>          <reloads>       <uptime>        <version>
7971            master          2 [failed: 1]   0d00h02m11s     2.6.12-1+deb12u4
# workers
9221            worker          0               0d00h00m00s     2.6.12-1+deb12u4
# old workers
9146            worker          1               0d00h00m37s     2.6.12-1+deb12u4
922             worker          2               0d00h00m37s     2.6.12-1+deb12u4
# programs
`)
  expect(processes).toEqual({ master: 7971, failedReloads: 1, current: 9221, old: [9146, 922] })
})

test('maps, information, sessions and versions', () => {
  expect(parseMap('0x5588 web.localhost/ p.e.web\n0x7f0d x.y/api/ p.e.api\n\n')).toEqual(
    new Map([
      ['web.localhost/', 'p.e.web'],
      ['x.y/api/', 'p.e.api'],
    ]),
  )
  expect(parseInfo('Name: HAProxy\nUptime: 0d 0h00m00s\ndescription: fairway-abc\n').get('description')).toBe(
    'fairway-abc',
  )
  const sessions = `0x5622: proto=tcpv4 src=127.0.0.1:1 fe=public be=p.e.web srv=s3 ts=00
0x7f15: proto=tcpv4 src=127.0.0.1:2 fe=public be=p.e.web srv=s31 ts=00
0x7f16: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00
`
  expect(parseSessions(sessions, 'p.e.web', 's3')).toEqual(['0x5622'])
  expect(parseVersion('HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n')).toEqual({
    text: '2.6.12-1+deb12u4',
    major: 2,
    minor: 6,
  })
  expect(parseVersion('HA-Proxy version 1.8.27 2020/11/06')).toMatchObject({ major: 1, minor: 8 })
  expect(parseVersion('nginx version: nginx/1.22.1')).toBeUndefined()
})
