import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { packageName, planScaffold } from './plan-scaffold.ts'
import type { Ground } from './scaffold.ts'

const bare: Ground = {
  hasModule: false,
  hasHttpServer: false,
  projectFile: undefined,
  hasReadme: false,
  hasGitignore: false,
}
const template = new Map([
  ['go.mod', 'module example.com/shop\n\ngo 1.26.0\n'],
  ['go.sum', ''],
  [
    'cmd/web/main.go',
    '// Command web serves.\npackage main\n\nimport (\n\t"example.com/shop/internal/httpserver"\n\t"example.com/shop/internal/web"\n)\n\nvar _ = web.New(httpserver.X)\n',
  ],
  ['internal/web/web.go', '// Package web is it.\npackage web\n'],
  ['internal/web/web_test.go', 'package web_test\n'],
  ['internal/httpserver/httpserver.go', 'package httpserver\n'],
])
const order = { project: 'shop', module: 'github.com/acme/shop', services: [{ name: 'api', kind: 'web' as const }] }

test('a new project is the template under its own names', () => {
  const files = new Map(planScaffold(order, bare, template).map(({ path, text }) => [path, text]))
  expect([...files.keys()]).toEqual([
    'go.mod',
    'go.sum',
    'internal/httpserver/httpserver.go',
    'cmd/api/main.go',
    'internal/api/api.go',
    'internal/api/api_test.go',
    'fairway.yaml',
    '.gitignore',
    'README.md',
  ])
  expect(files.get('go.mod')).toContain('module github.com/acme/shop\n')
  expect(files.get('cmd/api/main.go')).toBe(
    '// Command api serves.\npackage main\n\nimport (\n\t"github.com/acme/shop/internal/api"\n\t"github.com/acme/shop/internal/httpserver"\n)\n\nvar _ = api.New(httpserver.X)\n',
  )
  expect(files.get('internal/api/api_test.go')).toBe('package api_test\n')
})

test('what was detected until now is written down beside the new service, and keeps its name', () => {
  const ground = { ...bare, hasModule: true }
  const former = [{ name: 'shop', build: '.' }]
  const text = planScaffold({ ...order, former }, ground, template).find(({ path }) => path === 'fairway.yaml')?.text
  expect(parse(text ?? '')).toMatchObject({ services: { shop: { build: '.' }, api: { build: './cmd/api' } } })
  expect(() => planScaffold({ ...order, former: [{ name: 'api', build: '.' }] }, ground, template)).toThrow(
    'api is what the program in . is called already',
  )
})

test('a service is added to a project, whose file keeps its comments', () => {
  const projectFile = '# ours\nproject: shop\nservices:\n  web: { build: ./cmd/web } # the shop\n'
  const ground = { ...bare, hasModule: true, hasHttpServer: true, hasReadme: true, hasGitignore: true, projectFile }
  const files = planScaffold(order, ground, template)
  expect(files.map(({ path }) => path)).toEqual([
    'cmd/api/main.go',
    'internal/api/api.go',
    'internal/api/api_test.go',
    'fairway.yaml',
  ])
  const text = files.at(-1)?.text ?? ''
  expect(text).toContain('# ours')
  expect(text).toContain('# the shop')
  expect(parse(text)).toMatchObject({ services: { web: { build: './cmd/web' }, api: { build: './cmd/api' } } })
})

test.each([
  ['services: [', 'CONFIG_INVALID'],
  ['- a\n', 'CONFIG_INVALID'],
  ['services: [a]\n', 'CONFIG_INVALID'],
  ['services: { api: {} }\n', 'USAGE'], // the file is good, the wish is not
] as const)('%j cannot take it: %s', (projectFile, code) => {
  expect(() => planScaffold(order, { ...bare, projectFile }, template)).toThrow(expect.objectContaining({ code }))
})

test('whatever a service is called, its package has a name that Go takes', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/), (name) => {
      expect(packageName({ name })).toMatch(/^[a-z][a-z0-9]*$/)
    }),
  )
  expect(packageName({ name: 'type' })).toBe('typeservice')
})
