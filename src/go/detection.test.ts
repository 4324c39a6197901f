import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ignoredFlags } from './caller-flags.ts'
import { standIn } from './cgo.ts'
import { compareBuildInfo } from './compare-binaries.ts'
import { findReads } from './disk-reads.ts'
import { isMatched } from './embed.ts'
import { buildFlags } from './flags.ts'
import { parseManifest } from './front-end.ts'
import { isIgnored, parseIgnores } from './nested-modules.ts'
import { findPrivateModule, isCovered } from './private-module.ts'
import { fulfils } from './semver-range.ts'
import { commonFolder, parseReplaced } from './source-copy.ts'
import { stringVariables } from './stamps.ts'

test.each([
  ['22.11.0', '>=18', true],
  ['v16.20.2', '>=18', false],
  ['20.10.0', '^20.19.0 || >=22.12.0', false],
  ['22.12.0', '^20.19.0 || >=22.12.0', true],
  ['18.4.1', '18.x', true],
  ['18.4.1', '~18.3', false],
  ['18.3.9', '~18.3.1', true],
  ['18.9.0', '>=16.0.0 <18', false],
  ['18.0.0', '16 - 18', true],
  ['19.0.0', '16 - 18', false],
  ['19.0.0', '> 18', true],
  ['18.9.9', '>18', false],
  ['0.2.9', '^0.2.3', true],
  ['0.3.0', '^0.2.3', false],
  ['18.0.0', '*', true],
  ['18.0.0', 'lts/*', undefined],
])('Node %s and engines %s: %s', (version, range, expected) => {
  expect(fulfils(version, range)).toBe(expected)
})

test('a version is within its own caret and tilde, and not within the next major one', () => {
  const part = fc.integer({ min: 0, max: 99 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), part, part, part, (major, minor, patch, more) => {
      const at = `${major}.${minor}.${patch}`
      expect(fulfils(`${major}.${minor + more}.${patch}`, `^${at}`)).toBe(true)
      expect(fulfils(`${major}.${minor}.${patch + more}`, `~${at}`)).toBe(true)
      expect(fulfils(`${major + 1}.${minor}.${patch}`, `^${at}`)).toBe(false)
      expect(fulfils(at, `>=${at} <=${at}`)).toBe(true)
    }),
  )
})

test('reads of files are found by their call; what has a variable in it says nothing', () => {
  const text = `
	t := template.Must(template.ParseGlob("templates/*.html"))
	http.Handle("/s/", http.FileServer(http.Dir("static")))
	r.Static("/assets", "./public")
	b, _ := os.ReadFile(filepath.Join("data", "x.json"))
	os.Open("/etc/hosts"); os.ReadFile(name); os.Open("a%d")
	// os.ReadFile("commented")
	m, _ := migrate.New("file://db/migrations", url)
`
  expect(findReads(text).map(({ path, line }) => `${line} ${path}`)).toEqual([
    '2 templates/*.html',
    '3 static',
    '4 ./public',
    '5 data/x.json',
    '8 db/migrations',
  ])
})

test('an embedded file belongs to the pattern that names it, or a folder above it', () => {
  expect(isMatched('dist/a/b.js', 'dist')).toBe(true)
  expect(isMatched('dist/a/b.js', 'dist/*')).toBe(true)
  expect(isMatched('dist.txt', 'dist')).toBe(false)
  expect(isMatched('web/x.html', '*/*.html')).toBe(true)
})

test('only strings at the top of a file can be stamped', () => {
  const text =
    'package main\n\nvar version = "dev"\nvar count = 3\nvar (\n\tcommit string\n\tdate   = "x" // when\n)\n\nfunc f() {\n\tvar inner = ""\n}\n'
  expect(stringVariables(text)).toEqual(['version', 'commit', 'date'])
})

test.each([
  [['//go:build !cgo\n\npackage s\n\nvar err = "requires cgo to work. This is a stub"'], 'stub'],
  [['//go:build !cgo && linux\n\npackage s\n\nfunc Sum() int { return 1 }'], 'go'],
  [['//go:build windows\n\npackage s'], 'none'],
  [[], 'none'],
] as const)('%j stands in as %s', (texts, expected) => {
  expect(standIn(texts)).toBe(expected)
})

test('flags of the caller are told only where they would have changed something', () => {
  expect(ignoredFlags('-buildvcs=false -mod=mod -v', 'GOFLAGS')).toBeUndefined()
  expect(ignoredFlags("-tags=a,b '-ldflags=-s -X main.v=1' -race", 'GOFLAGS')).toEqual({
    flags: ['-tags=a,b', '-ldflags=-s -X main.v=1', '-race'],
    from: 'GOFLAGS',
    line: 'go: { tags: [a, b], ldflags: ["-s -X main.v=1"] }',
  })
})

test('ignore lines are obeyed as go.mod has them', () => {
  const rules = parseIgnores('module x\n\nignore ./web\n\nignore (\n\tstatic // much\n\tb/c\n)\n')
  expect(rules).toEqual(['./web', 'static', 'b/c'])
  expect(['web', 'a/web', 'a/static/x', 'a/b/c', 'a/bc'].map((path) => isIgnored(path, rules))).toEqual([
    true,
    false,
    true,
    true,
    false,
  ])
})

test('GOPRIVATE covers a module by its first elements', () => {
  expect(isCovered('github.com/acme/x/y', 'github.com/acme/*')).toBe(true)
  expect(isCovered('github.com/acme/x', 'example.com,github.com/acme')).toBe(true)
  expect(isCovered('github.com/acme/x', '*.acme.com, ,github.com/other')).toBe(false)
  expect(isCovered('git.acme.com/x', '*.acme.com')).toBe(true)
  fc.assert(
    fc.property(fc.string(), fc.string(), (module, patterns) => typeof isCovered(module, patterns) === 'boolean'),
  )
})

test('a module that is refused to a stranger is found in go’s words', () => {
  const words =
    "main.go:3:8: github.com/acme/secret@v1.0.0: invalid version: git ls-remote -q origin: exit status 128:\n\tfatal: could not read Username for 'https://github.com': terminal prompts disabled"
  expect(findPrivateModule([{ message: words }])).toBe('github.com/acme/secret')
  expect(findPrivateModule([{ message: 'undefined: x' }])).toBeUndefined()
})

test('replaced folders and what they have in common', () => {
  expect(parseReplaced('replace a => ../a\nreplace (\n\tb v1 => ./b // here\n\tc => example.com/c v1\n)')).toEqual([
    '../a',
    './b',
  ])
  expect(commonFolder(['/a/b/c', '/a/b/d', '/a/b'])).toBe('/a/b')
  expect(commonFolder(['/a', '/b'])).toBe('/')
})

test('a package.json is read as far as it goes', () => {
  expect(parseManifest('{"scripts":{"build":"x"},"engines":{"node":">=20"}}')).toEqual({ hasBuild: true, node: '>=20' })
  expect(parseManifest('[')).toBeUndefined()
  fc.assert(fc.property(fc.json(), (text) => void parseManifest(text)))
})

test('flags are those of the project, in one order', () => {
  expect(
    buildFlags({ tags: ['a'], ldflags: ['-X main.v={{tag}}-{{commit}}'] }, 'static', { tag: 'v1', commit: 'c' }),
  ).toEqual([
    '-trimpath',
    '-tags=a,netgo,osusergo',
    '-ldflags=-w -X main.v=v1-c -linkmode=external -extldflags=-static',
    '-buildvcs=false',
  ])
})

test('what go recorded is compared setting by setting', () => {
  const info = {
    goVersion: 'go1.26.8',
    path: 'x',
    dependencies: [{ path: 'a', version: 'v1' }],
    settings: new Map([['GOAMD64', 'v1']]),
  }
  const other = { ...info, dependencies: [{ path: 'a', version: 'v2' }], settings: new Map([['GOAMD64', 'v3']]) }
  expect(compareBuildInfo(info, other)).toEqual(['GOAMD64 is v3, was v1', 'a is v2, was v1'])
  expect(compareBuildInfo(info, info)).toEqual([])
})
