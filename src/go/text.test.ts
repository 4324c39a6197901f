import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseModuleInfo, parseSection } from './build-info.ts'
import { buildText, explainBuildFailure, formatFinding, parseBuildText } from './compiler-output.ts'
import { parseGoMod } from './go-mod.ts'
import { parseJsonStream } from './json-stream.ts'
import { compareGoVersions } from './version.ts'
import { parseStatus } from './work-tree.ts'
import { findBlamed } from './toolchain.ts'

test('Go’s versions are ordered as Go orders them', () => {
  const ordered = [
    'nonsense',
    '1.19rc1',
    '1.19',
    '1.19.8',
    '1.20',
    '1.21',
    '1.21rc2',
    '1.21.0',
    '1.26',
    '1.26rc1',
    '1.26rc2',
    '1.26.0',
    '1.26.8',
    '1.27',
  ]
  for (const [index, version] of ordered.slice(1).entries()) {
    expect(compareGoVersions(ordered[index] ?? '', version)).toBeLessThan(0)
    expect(compareGoVersions(version, version)).toBe(0)
  }
  expect(compareGoVersions('go1.26.8-custom X:nocoverage', '1.26.8')).toBe(0)
})

test('go.mod and go.work say their module, go line and uses, in blocks or alone', () => {
  expect(
    parseGoMod('// a comment\nmodule "example.com/a" // b\n\ngo 1.26.1\n\nrequire (\n\tgolang.org/x/net v1\n)\n'),
  ).toEqual({
    module: 'example.com/a',
    go: { version: '1.26.1', line: 4 },
    replacements: [],
    uses: [],
  })
  expect(parseGoMod('go 1.26\nuse (\n\t./a\n\t`./b c` // x\n)\nuse ./d\n').uses).toEqual(['./a', './b c', './d'])
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      parseGoMod(text)
    }),
  )
})

test('the compiler’s messages keep their place, the cause first', () => {
  const events = [
    { ImportPath: 'x', Action: 'build-output', Output: '# example.com/x\n' },
    {
      ImportPath: 'x',
      Action: 'build-output',
      Output: 'cmd/x/main.go:5:2: no required module provides package y; to add it:\n',
    },
    { ImportPath: 'x', Action: 'build-output', Output: '\tgo get y\n' },
    { ImportPath: 'x', Action: 'build-output', Output: 'cmd/x/main.go:9:1: too many errors\n' },
    { ImportPath: 'x', Action: 'build-fail' },
  ]
  const stdout = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const text = buildText(stdout, 'go: downloading a v1\ngo: warning: "https://ada:secret@example.com/x"\n')
  const findings = parseBuildText(text, { cwd: '/shop/app', folder: '/shop' })
  expect(findings.map(formatFinding)).toEqual([
    'app/cmd/x/main.go:5:2: no required module provides package y; to add it:\n\tgo get y',
    'go: warning: "https://example.com/x"',
  ])
  expect(explainBuildFailure(findings, 'x')).toMatchObject({
    code: 'BUILD_FAILED',
    message: 'app/cmd/x/main.go:5:2: no required module provides package y; to add it:',
    hint: 'Bring go.mod and go.sum up to date: go mod tidy',
  })
})

test('every place the compiler names is found again', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_/-]{0,12}[a-z]\.go$/).filter((path) => !path.includes('//'))
  fc.assert(
    fc.property(name, fc.nat(), fc.nat(), fc.stringMatching(/^[a-z: ]{0,20}[a-z]$/), (file, line, column, message) => {
      fc.pre(!message.endsWith('too many errors'))
      const found = parseBuildText(`${file}:${line}:${column}: ${message}\n`, { cwd: '/shop', folder: '/shop' })
      expect(found).toEqual([{ file, line, column, message }])
    }),
  )
})

test('a full disk and a Go too old are called so, not a failed build', () => {
  const explain = (text: string) => explainBuildFailure(parseBuildText(text, { cwd: '/', folder: '/' }), 'web').code
  expect(explain('link: write $WORK/a.out: no space left on device')).toBe('DISK_FULL')
  expect(explain('go: example.com/x@v1.0.0 requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)')).toBe(
    'GO_MISSING',
  )
  expect(explain('')).toBe('BUILD_FAILED')
})

test('a replaced module is the one that is in the binary', () => {
  const info = parseModuleInfo(
    'path\ta/cmd\nmod\ta\t(devel)\t\ndep\tb\tv1\th1:x\n=>\tc\tv2\th1:y\nbuild\t-ldflags="-w -X a=b"\nbuild\tGOOS=linux\n',
  )
  expect(info).toEqual({
    path: 'a/cmd',
    main: { path: 'a', version: '(devel)' },
    dependencies: [{ path: 'c', version: 'v2', sum: 'h1:y' }],
    settings: new Map([
      ['-ldflags', '-w -X a=b'],
      ['GOOS', 'linux'],
    ]),
  })
})

test('no bytes make the build info reader throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const data = Buffer.concat([Buffer.from('\xff Go buildinf:', 'latin1'), Buffer.from([8, 2]), Buffer.from(bytes)])
      parseSection(data)
      parseSection(Buffer.from(bytes))
    }),
  )
})

test('objects that follow one another without commas are all read', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.dictionary(
          fc.string(),
          fc.oneof(fc.string(), fc.array(fc.string()), fc.dictionary(fc.string(), fc.string())),
        ),
      ),
      (objects) => {
        const text = objects.map((object) => `${JSON.stringify({ key: object }, null, '\t')}\n`).join('')
        expect(parseJsonStream(text)).toEqual(objects.map((object) => ({ key: { ...object } })))
      },
    ),
  )
})

test('git’s status says the commit, and whether the tree differs', () => {
  const oid = 'a'.repeat(40)
  expect(parseStatus(`# branch.oid ${oid}\n# branch.head main\n`)).toEqual({ commit: oid, dirty: false })
  expect(parseStatus(`# branch.oid ${oid}\n? new.go\n`)).toEqual({ commit: oid, dirty: true })
  expect(parseStatus('# branch.oid (initial)\n')).toEqual({})
})

test.each([
  ['build cache is required, but could not be located: GOCACHE is not an absolute path', 'GOCACHE'],
  ['failed to initialize build cache at /mnt/cache/x: mkdir /mnt/cache: read-only file system', 'XDG_CACHE_HOME'],
  ['go: creating work dir: mkdir /mnt/go-build687136914: no such file or directory', 'TMPDIR'],
  ['exec format error', undefined],
])('of %j, the variable to blame is %s', (line, variable) => {
  expect(findBlamed(line, { TMPDIR: '/mnt', XDG_CACHE_HOME: '/mnt/cache', HOME: '/root', GOPATH: '' })).toBe(variable)
})
