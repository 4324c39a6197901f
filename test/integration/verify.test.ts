import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { GoSettings } from '../../src/config/index.ts'
import { type Verification, verifyBinary } from '../../src/go/index.ts'
import { environment, makeProject, module, server } from '../harness/go-project.ts'

type Project = Awaited<ReturnType<typeof makeProject>>

/** Builds, then once more elsewhere. */
async function verify(
  project: Project,
  settings: GoSettings = {},
  change?: () => Promise<void>,
): Promise<Verification> {
  await using built = await project.build({ settings })
  await change?.()
  const { mainFolder, moduleFolder } = await (await project.open()).locate('web', { alone: true })
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'fairway-verify-test-'))
  try {
    const { chmod } = await import('node:fs/promises')
    await chmod(temporaryFolder, 0o755)
    return await verifyBinary(
      {
        service: 'web',
        folder: project.folder,
        mainFolder,
        moduleFolder,
        settings,
        recipe: built.recipe,
        expected: built.artifact.files.find(({ path }) => path === 'web')?.digest ?? built.artifact.digest,
        binary: built.sources.get('web') ?? '',
      },
      { toolchain: project.toolchain, environment, temporaryFolder, report: () => {}, now: Date.now },
    )
  } finally {
    await rm(temporaryFolder, { recursive: true, force: true })
  }
}

test('a build is the same in another folder, for another user, with an empty cache', { timeout: 300_000 }, async () => {
  await using project = await makeProject({
    'go.mod': `${module}\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n`,
    'main.go': server.replace('import "net/http"', 'import (\n\t"net/http"\n\t_ "example.com/lib"\n)'),
    '../lib/go.mod': 'module example.com/lib\n\ngo 1.21\n',
    '../lib/lib.go': 'package lib\n',
  })
  const { isSame, notes, differences } = await verify(project)
  expect({ isSame, differences }).toEqual({ isSame: true, differences: [] })
  expect(notes).toContain(process.getuid?.() === 0 ? 'as uid 65534' : 'as this user: only root may take another')
})

test('C with the library inside, and its file names, is the same too', { timeout: 300_000 }, async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go':
      'package main\n\n// const char *where(void);\nimport "C"\n\nfunc main() { println(C.GoString(C.where())) }\n',
    'where.c': 'const char *where(void) { return __FILE__; }\n',
  })
  expect(await verify(project, { cgo: 'static' })).toMatchObject({ isSame: true, differences: [] })
})

test('the time of day in C is named by its section, with the text', { timeout: 300_000 }, async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go':
      'package main\n\n// const char *when(void);\nimport "C"\n\nfunc main() { println(C.GoString(C.when())) }\n',
    'when.c': 'const char *when(void) { return "built at " __TIME__; }\n',
  })
  const { isSame, differences } = await verify(project)
  expect(isSame).toBe(false)
  const [cause] = differences
  expect(cause).toMatchObject({ section: '.rodata', isConsequence: false })
  expect(cause?.how).toMatch(/"built at [0-9:]{8}", was "built at [0-9:]{8}"/)
  expect(differences.filter(({ isConsequence }) => isConsequence).map(({ section }) => section)).toContain(
    '.note.go.buildid',
  )
})

test('a file that is generated at random is named by what holds it', { timeout: 300_000 }, async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go':
      'package main\n\nimport _ "embed"\n\n//go:embed word.txt\nvar word string\n\nfunc main() { println(word) }\n',
    'word.txt': '',
  })
  const make = `require('fs').writeFileSync('word.txt', 'the word is ' + require('crypto').randomUUID())`
  const { isSame, differences } = await verify(project, { generate: [{ in: '.', run: ['node', '-e', make] }] })
  expect(isSame).toBe(false)
  expect(differences[0]).toMatchObject({
    section: '.rodata',
    how: expect.stringMatching(/the word is .* was .*the word is /),
  })
})

test('a commit is rebuilt from the commit, whatever the folder holds by now', { timeout: 300_000 }, async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nfunc main() { println("one") }\n',
  })
  await project.git('init', '-q')
  await project.git('add', '.')
  await project.git('commit', '-qm', 'one')
  const change = () => writeFile(join(project.folder, 'main.go'), 'package main\n\nfunc main() { println("two") }\n')
  const { isSame, notes } = await verify(project, {}, change)
  expect(isSame).toBe(true)
  expect(notes[0]).toMatch(/^from commit [0-9a-f]{12}$/)
})
