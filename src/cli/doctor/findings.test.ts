import { expect, test } from 'vitest'
import { findingsText } from '../commands/doctor.ts'
import { palette } from '../report/colour.ts'
import { type Finding, findingsOf, type MachineFacts } from './findings.ts'

const fit: MachineFacts = {
  platform: 'linux',
  arch: 'x64',
  isRoot: true,
  hasProc: true,
  node: { version: '24.21.0', wanted: '24.21.0' },
  missingPackages: [],
  go: { version: '1.26.8' },
  haproxy: { version: '2.6.12' },
  git: { version: '2.39.5' },
  missingTools: [],
  cgroups: { kind: 'v2', memory: true, cpu: true },
  networks: {},
  openFiles: 65_536,
  home: {
    path: '/var/lib/fairway',
    exists: true,
    isWritable: true,
    freeBytes: 20 * 1024 ** 3,
    freeInodes: 1_000_000,
    mode: 0o711,
    isOurs: true,
  },
  addresses: [
    { what: 'API', address: '127.0.0.1:8470', state: 'ours' },
    { what: 'gateway', address: '127.0.0.1:8480', state: 'free' },
  ],
  ports: { first: 20_000, last: 29_999, inUse: 3, ephemeral: { first: 32_768, last: 60_999 } },
  systemd: { runs: true, isInstalled: true },
  clock: { now: Date.parse('2026-11-22T14:03:07Z'), builtAt: Date.parse('2026-11-01'), timeZone: 'Europe/Berlin' },
  server: { version: '0.1.0', pid: 712, own: '0.1.0' },
}

const about = (name: string, facts: MachineFacts): Finding | undefined =>
  findingsOf(facts).find((finding) => finding.name === name)

test('a machine without Go is told that one is fetched', () => {
  const found = findingsOf({ ...fit, go: { problem: 'There is no `go` on the PATH' } }).find(
    ({ name }) => name === 'Go',
  )
  expect(found).toMatchObject({ state: 'attention', hint: expect.stringContaining('fetched') as unknown })
})

test('a machine with everything is ready', () => {
  expect(findingsOf(fit).filter(({ state }) => state !== 'good')).toEqual([])
})

test('what is not good comes with what to do', () => {
  const poor: MachineFacts = {
    ...fit,
    node: { version: '24.1.0', wanted: '24.21.0' },
    go: { problem: 'There is no `go` on the PATH', hint: 'Install Go' },
    haproxy: { problem: 'haproxy is HAProxy 2.4.0: 2.6 or newer is needed', hint: 'Install it' },
    git: { problem: 'git could not be started' },
    missingTools: ['setpriv'],
    cgroups: { kind: 'none', memory: false, cpu: false, why: 'EACCES' },
    networks: { problem: '`nft` is missing', hint: 'sudo apt-get install nftables' },
    openFiles: 1024,
    home: { ...fit.home, isWritable: false, freeBytes: 1000 },
    addresses: [{ what: 'API', address: '127.0.0.1:8470', state: 'taken', holder: 'nginx (pid 9)' }],
    ports: { ...fit.ports, ephemeral: { first: 1024, last: 60_999 } },
    systemd: { runs: true, isInstalled: false },
    clock: { ...fit.clock, now: 0 },
    server: { own: '0.1.0', problem: 'The token is missing' },
  }
  const findings = findingsOf(poor)
  expect(findings.filter(({ state }) => state === 'good').map(({ name }) => name)).toEqual(['machine'])
  expect(findings.filter(({ hint }) => hint === undefined).map(({ name }) => name)).toEqual(['machine'])
})

test.for<[string, string, Partial<MachineFacts>]>([
  ['machine', 'no Linux', { platform: 'darwin' }],
  ['machine', 'no /proc', { hasProc: false }],
  ['Node', 'packages missing', { missingPackages: ['zod 4.6.7'] }],
  ['HAProxy', 'too old', { haproxy: { problem: 'HAProxy 2.4' } }],
  ['util-linux', 'no setsid', { missingTools: ['setsid'] }],
  ['home', 'not writable', { home: { ...fit.home, isWritable: false } }],
  ['home', 'another user’s', { home: { ...fit.home, isOurs: false } }],
  ['home', 'too long for a socket', { home: { ...fit.home, pathProblem: { problem: 'too long' } } }],
  ['home', 'a broken config.yaml', { home: { ...fit.home, configProblem: { problem: 'line 1' } } }],
  ['home', 'below a closed folder', { home: { ...fit.home, blocked: '/root' } }],
  ['API', 'taken', { addresses: [{ what: 'API', address: '127.0.0.1:8470', state: 'taken' }] }],
  ['gateway', 'refused', { addresses: [{ what: 'gateway', address: '*:80', state: 'refused', errno: 'EACCES' }] }],
])('%s, %s: stands in the way', ([name, , facts]) => {
  expect(about(name, { ...fit, ...facts })?.state).toBe('missing')
})

test.for<[string, string, Partial<MachineFacts>, RegExp]>([
  ['limits', 'memory alone', { cgroups: { kind: 'v1', memory: true, cpu: false } }, /memory alone.*v1/],
  ['limits', 'none', { cgroups: { kind: 'none', memory: false, cpu: false, why: 'EROFS' } }, /EROFS/],
  ['networks', 'no nft', { networks: { problem: '`nft` is missing', hint: 'apt' } }, /nft. is missing/],
  ['space', 'little', { home: { ...fit.home, freeBytes: 300 * 1024 ** 2 } }, /300 MiB/],
  ['space', 'no inodes', { home: { ...fit.home, freeInodes: 12 } }, /12 files/],
  ['home', 'open to all', { home: { ...fit.home, mode: 0o777 } }, /777/],
  ['ports', 'nearly full', { ports: { ...fit.ports, inUse: 9950 } }, /9950/],
  ['ports', 'in the ephemeral range', { ports: { ...fit.ports, last: 40_000 } }, /32768-60999/],
  ['boot', 'not installed', { systemd: { runs: true, isInstalled: false } }, /at boot/],
  [
    'boot',
    'no systemd',
    { systemd: { runs: false, isInstalled: false } },
    /nobody restarts HAProxy or an instance while Fairway is away/,
  ],
  ['clock', 'behind', { clock: { ...fit.clock, now: Date.parse('1970-01-02') } }, /1970/],
  ['control plane', 'older', { server: { version: '0.0.9', pid: 1, own: '0.1.0' } }, /0\.0\.9/],
])('%s, %s: costs something, and it is said', ([name, , facts, words]) => {
  const finding = about(name, { ...fit, ...facts })
  expect(finding?.state).toBe('attention')
  expect(finding?.found).toMatch(words)
})

test('a mark and a word each on a terminal, tabs in a pipe', () => {
  const findings: Finding[] = [
    { name: 'Go', state: 'good', found: '1.26.8' },
    { name: 'HAProxy', state: 'missing', found: 'none', hint: 'install it' },
    { name: 'boot', state: 'attention', found: 'no systemd', hint: 'crontab' },
  ]
  expect(findingsText(findings, palette(false), true)).toBe(
    [
      '✓ Go       1.26.8',
      '✗ HAProxy  none',
      '           → install it',
      '! boot     no systemd',
      '           → crontab',
      '1 to mend before `fairway up` can work',
      '',
    ].join('\n'),
  )
  expect(findingsText(findings, palette(false), false)).toBe(
    'Go\tgood\t1.26.8\t\nHAProxy\tmissing\tnone\tinstall it\nboot\tattention\tno systemd\tcrontab\n',
  )
})
