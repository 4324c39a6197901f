import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { digestOf } from '../../artifact/index.ts'
import { type Bill, packageUrl, uuidOf } from './bill.ts'
import { cyclonedxText } from './cyclonedx.ts'
import { spdxText } from './spdx.ts'

const bill: Bill = {
  service: 'web',
  version: '0123456789ab',
  artifact: digestOf('artifact'),
  goVersion: '1.26.8',
  main: { path: 'example.com/shop', version: '(devel)', licences: ['Apache-2.0'] },
  modules: [
    { path: '../fork', version: '', licences: [] },
    { path: 'github.com/BurntSushi/toml', version: 'v1.6.0', sum: 'h1:abc=', licences: ['MIT'] },
    { path: 'gopkg.in/yaml.v3', version: 'v3.0.1', sum: 'h1:def=', licences: ['Apache-2.0', 'MIT'] },
    { path: 'example.com/old', version: 'v2.0.0+incompatible', licences: [] },
  ],
  libraries: [{ name: 'libc.so.6', digest: digestOf('libc') }, { name: 'libsqlite3.so.0' }],
  files: [
    { path: 'templates/ä b.html', sha256: digestOf('page'), sha1: 'a'.repeat(40) },
    { path: 'web', sha256: digestOf('binary'), sha1: 'b'.repeat(40) },
  ],
  binary: 'web',
  createdAt: 1_700_000_000,
  toolVersion: '0.1.0',
}

const text = fc.string({ unit: fc.constantFrom(...Array.from('abZ09./-_+~ 漢"\\')) })
const bills: fc.Arbitrary<Bill> = fc
  .record({
    version: text,
    modules: fc.uniqueArray(fc.record({ path: text, version: text, licences: fc.subarray(['MIT', 'ISC', 'BSD-3-Clause']) }), { selector: ({ path, version }) => `${path.toLowerCase()}@${version}`, maxLength: 5 }), // prettier-ignore
    files: fc.uniqueArray(fc.record({ path: text, sha256: fc.constant(digestOf('x')), sha1: fc.constant('c'.repeat(40)) }), { selector: ({ path }) => path, maxLength: 4 }), // prettier-ignore
    createdAt: fc.nat(),
  })
  .map((some) => ({ ...bill, ...some }))

test('CycloneDX: the official schema takes whatever is said', async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.constant(bill), bills), async (one) => {
      expect(await validator.validate(cyclonedxText(one))).toBeNull()
    }),
    { numRuns: 30 },
  )
})

/** What the specification asks of a document, as far as this one goes. @see SPDX 2.3, sections 6 to 11 */
const spdxId = z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/)
const expression = z.string().regex(/^(?:NOASSERTION|[A-Za-z0-9.-]+(?: AND [A-Za-z0-9.-]+)*)$/)
const checksum = z.discriminatedUnion('algorithm', [
  z.strictObject({ algorithm: z.literal('SHA1'), checksumValue: z.string().regex(/^[0-9a-f]{40}$/) }),
  z.strictObject({ algorithm: z.literal('SHA256'), checksumValue: z.string().regex(/^[0-9a-f]{64}$/) }),
])
const spdxDocument = z.strictObject({
  spdxVersion: z.literal('SPDX-2.3'),
  dataLicense: z.literal('CC0-1.0'),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  name: z.string(),
  documentNamespace: z.url().refine((url) => !url.includes('#')),
  creationInfo: z.strictObject({
    created: z.iso.datetime({ precision: 0 }),
    creators: z.tuple([z.string().regex(/^Tool: /)]),
  }),
  packages: z.array(
    z.strictObject({
      SPDXID: spdxId,
      name: z.string(),
      versionInfo: z.string().optional(),
      downloadLocation: z.literal('NOASSERTION'),
      filesAnalyzed: z.boolean(),
      packageVerificationCode: z
        .strictObject({ packageVerificationCodeValue: z.string().regex(/^[0-9a-f]{40}$/) })
        .optional(),
      licenseInfoFromFiles: z.array(z.literal('NOASSERTION')).optional(),
      licenseConcluded: expression,
      licenseDeclared: expression,
      copyrightText: z.literal('NOASSERTION'),
      supplier: z.literal('NOASSERTION'),
      primaryPackagePurpose: z.enum(['APPLICATION', 'LIBRARY']),
      comment: z.string().optional(),
      checksums: z.array(checksum).optional(),
      externalRefs: z.array(z.strictObject({ referenceCategory: z.literal('PACKAGE-MANAGER'), referenceType: z.literal('purl'), referenceLocator: z.string().regex(/^pkg:golang\/[^ ]+$/) })).optional(), // prettier-ignore
    }),
  ),
  files: z.array(
    z.strictObject({
      SPDXID: spdxId,
      fileName: z.string().startsWith('./'),
      fileTypes: z.array(z.enum(['BINARY', 'APPLICATION'])).optional(),
      checksums: z.tuple([checksum, checksum]), // SHA1 is asked for
      licenseConcluded: expression,
      licenseInfoInFiles: z.array(expression),
      copyrightText: z.literal('NOASSERTION'),
    }),
  ),
  relationships: z.array(
    z.strictObject({
      spdxElementId: spdxId,
      relationshipType: z.enum(['DESCRIBES', 'DEPENDS_ON', 'CONTAINS']),
      relatedSpdxElement: spdxId,
    }),
  ),
})

test('SPDX: every field is one of the specification’s, and every relationship is between things that are there', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constant(bill), bills), (one) => {
      const document = spdxDocument.parse(JSON.parse(spdxText(one)))
      const ids = [
        document.SPDXID,
        ...document.packages.map(({ SPDXID }) => SPDXID),
        ...document.files.map(({ SPDXID }) => SPDXID),
      ]
      expect(new Set(ids).size).toBe(ids.length)
      const named = document.relationships.flatMap(({ spdxElementId, relatedSpdxElement }) => [
        spdxElementId,
        relatedSpdxElement,
      ])
      expect(named.filter((id) => !ids.includes(id))).toEqual([])
    }),
  )
})

test.each([
  ['CycloneDX', cyclonedxText],
  ['SPDX', spdxText],
])('%s: the same bill is the same document, another one has another identity', (_, write) => {
  expect(write(bill)).toBe(write({ ...bill }))
  const identity = (one: Bill) => /urn:uuid:[0-9a-f-]{36}|spdxdocs\/[^"]*/.exec(write(one))?.[0]
  expect(identity(bill)).toBeDefined()
  expect(identity(bill)).not.toBe(identity({ ...bill, goVersion: '1.26.9' }))
})

test('the sum of go.sum is the digest of no file, and is not given out as one', () => {
  const component = (JSON.parse(cyclonedxText(bill)) as { components: { name: string }[] }).components.find(
    ({ name }) => name.endsWith('toml'),
  )
  expect(component).toEqual({
    type: 'library',
    'bom-ref': 'pkg:golang/github.com/burntsushi/toml@v1.6.0',
    name: 'github.com/BurntSushi/toml',
    version: 'v1.6.0',
    licenses: [{ license: { id: 'MIT' } }],
    purl: 'pkg:golang/github.com/burntsushi/toml@v1.6.0',
    properties: [{ name: 'fairway:go-sum', value: 'h1:abc=' }],
  })
})

test('files, the binary, the standard library and C libraries stand in it with what they are', () => {
  const { metadata, components } = JSON.parse(cyclonedxText(bill)) as { metadata: object; components: object[] }
  expect(metadata).toMatchObject({
    timestamp: '2023-11-14T22:13:20.000Z',
    component: { name: 'web', hashes: [{ alg: 'SHA-1' }, { alg: 'SHA-256', content: digestOf('binary') }] },
  })
  expect(components).toContainEqual(expect.objectContaining({ name: 'stdlib', version: '1.26.8' }))
  expect(components).toContainEqual(
    expect.objectContaining({ name: 'libc.so.6', hashes: [{ alg: 'SHA-256', content: digestOf('libc') }] }),
  )
  expect(components).toContainEqual(expect.objectContaining({ type: 'file', name: 'templates/ä b.html' }))
  expect(components).toContainEqual(
    expect.objectContaining({ name: 'gopkg.in/yaml.v3', licenses: [{ expression: 'Apache-2.0 AND MIT' }] }),
  )
})

test('package URLs are those of the type golang; a folder has none', () => {
  expect(packageUrl({ path: 'example.com/Old', version: 'v2.0.0+incompatible' })).toBe(
    'pkg:golang/example.com/old@v2.0.0%2Bincompatible',
  )
  expect(packageUrl({ path: 'example.com/shop', version: '(devel)' })).toBe('pkg:golang/example.com/shop')
  expect(packageUrl({ path: '../fork', version: '' })).toBeUndefined()
  expect(uuidOf('x')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
