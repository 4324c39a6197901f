import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ArtifactFile } from './artifact.ts'
import { checkArtifact, digestOf, isArtifactPath, makeArtifact, manifestText } from './manifest.ts'

const file = (path: string, content = path, executable = false): ArtifactFile => ({
  path,
  digest: digestOf(content),
  size: Buffer.byteLength(content),
  executable,
})
const binary = file('web', 'program', true)

test('the digest is that of the files, whatever their order', () => {
  const paths = fc.uniqueArray(fc.stringMatching(/^f[a-z0-9é ]{0,8}$/), { maxLength: 8 })
  fc.assert(
    fc.property(paths, (names) => {
      const files = [binary, ...names.map((name) => file(`data/${name}`))]
      const artifact = makeArtifact({ files, binary: 'web' })
      expect(makeArtifact({ files: files.toReversed(), binary: 'web' })).toEqual(artifact)
      expect(artifact.digest).toBe(digestOf(manifestText(artifact)))
      expect(checkArtifact(artifact)).toEqual(artifact)
    }),
  )
})

test('another content, mode, name or binary is another digest', () => {
  const digest = (files: ArtifactFile[], name = 'web') => makeArtifact({ files, binary: name }).digest
  const all = [
    digest([binary]),
    digest([file('web', 'program2', true)]),
    digest([binary, file('a')]),
    digest([binary, file('b', 'a')]),
    digest([binary, file('a', 'a', true)]),
    digest([binary, file('a', 'a', true)], 'a'),
  ]
  expect(new Set(all).size).toBe(all.length)
})

test.each(['', '/etc/passwd', '../x', 'a/../b', 'a//b', './a', 'a/', 'a\nb', 'a\0', 'x'.repeat(256), '\ud800'])(
  'the path %j is refused',
  (path) => {
    expect(isArtifactPath(path)).toBe(false)
  },
)

test('a manifest that contradicts itself is refused', () => {
  expect(() => makeArtifact({ files: [binary, file('a'), file('a', 'b')], binary: 'web' })).toThrow('a stands twice')
  expect(() => makeArtifact({ files: [binary, file('a'), file('a/b')], binary: 'web' })).toThrow(
    'a is a file and the folder of a/b',
  )
  expect(() => makeArtifact({ files: [file('web')], binary: 'web' })).toThrow('not an executable file')
  expect(() => checkArtifact({ ...makeArtifact({ files: [binary], binary: 'web' }), digest: digestOf('') })).toThrow(
    'digest is',
  )
})
