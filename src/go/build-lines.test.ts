import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRecorded } from './build-lines.ts'
import { findMentions } from './mentions.ts'

const dockerfile = `FROM golang AS build
# the server
RUN CGO_ENABLED=0 go build \\
    # stamped
    -ldflags "-s -w -X main.version=\${V} -X 'main.commit=x'" -tags netgo,jsoniter \\
    -o /out/shopd ./cmd/server && go build -o /out/ctl ./cmd/ctl
FROM scratch
COPY --from=build /out/shopd /
ENTRYPOINT ["/shopd", "serve"]
`

test('a Dockerfile says what is built, with which tags and stamps, and what is started', () => {
  expect(parseRecorded('Dockerfile', dockerfile)).toEqual({
    builds: [
      {
        where: 'Dockerfile:3',
        packages: ['./cmd/server'],
        binary: 'shopd',
        tags: ['netgo', 'jsoniter'],
        stamps: ['main.version', 'main.commit'],
      },
      { where: 'Dockerfile:3', packages: ['./cmd/ctl'], binary: 'ctl', tags: [], stamps: [] },
    ],
    starts: [{ where: 'Dockerfile:9', binary: 'shopd' }],
  })
})

test.each([
  ['Makefile', 'run:\n\tgo run ./cmd/web -port 80 ./data\n', ['./cmd/web']],
  ['Makefile', 'build:\n\t$(GO) build -o bin/$(NAME) $(PKG)\n', ['.']],
  ['Makefile', 'all:\n\tgo build ./...\n', []],
  ['Makefile', 'x:\n\tcd a; go build -o x cmd/x/main.go\n', ['cmd/x']],
  [
    '.goreleaser.yaml',
    'builds:\n  - id: a\n    main: ./cmd/a\n    binary: aa\n    tags: [x]\n  - main: ./cmd/b/main.go\n',
    ['./cmd/a', './cmd/b'],
  ],
  ['.ko.yaml', 'builds:\n- id: app\n  main: ./cmd/app\n', ['./cmd/app']],
])('%s: %j builds %j', (name, text, packages) => {
  expect(parseRecorded(name, text).builds.flatMap((line) => line.packages)).toEqual(packages)
})

test.each([
  ['Procfile', 'release: ./migrate\nweb: PORT=1 bin/shop serve\n', ['shop']],
  ['Dockerfile', 'CMD ["sh", "-c", "exec /app/web --x"]', ['web']],
  ['Dockerfile', 'ENTRYPOINT ["/sbin/tini", "--", "/usr/bin/web"]', ['web']],
  ['Dockerfile', 'CMD $BINARY', []],
])('%s: %j starts %j', (name, text, binaries) => {
  expect(parseRecorded(name, text).starts.map(({ binary }) => binary)).toEqual(binaries)
})

test('what is started is found by the name it was built under, wherever its folder lies', () => {
  const candidates = ['cmd/server', 'cmd/ctl'].map((path) => ({
    folder: `/p/${path}`,
    importPath: `example.com/p/${path}`,
  }))
  const mentions = findMentions('/p', candidates, new Map([['Dockerfile', parseRecorded('Dockerfile', dockerfile)]]))
  expect([...mentions]).toEqual([
    ['/p/cmd/server', { weight: 3, why: 'Dockerfile:9 starts it' }],
    ['/p/cmd/ctl', { weight: 2, why: 'Dockerfile:3 builds it' }],
  ])
})

test('no text is refused', () => {
  const names = fc.constantFrom('Dockerfile', 'Makefile', 'Procfile', '.goreleaser.yaml', '.ko.yaml')
  const words = fc.constantFrom('go', 'build', '-o', '\\\n', '"', "'", 'CMD', '[', '&&', './x', '-tags', 'main:', '\n')
  fc.assert(
    fc.property(names, fc.array(fc.oneof(words, fc.string())), (name, parts) => {
      const { builds, starts } = parseRecorded(name, parts.join(' '))
      for (const { packages } of builds) for (const path of packages) expect(path).not.toMatch(/[$`{}]/)
      for (const { binary } of starts) expect(binary).not.toContain('/')
    }),
  )
})
