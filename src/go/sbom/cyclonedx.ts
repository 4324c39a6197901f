import { type Bill, type BilledModule, moduleName, packageUrl, uuidOf } from './bill.ts'

/** @see CycloneDX 1.6, JSON */
export function cyclonedxText(bill: Bill): string {
  const root = `service:${bill.service}`
  const modules = bill.modules.map((module) => moduleComponent(module))
  const standardLibrary = {
    type: 'library',
    'bom-ref': `pkg:golang/stdlib@${bill.goVersion}`,
    name: 'stdlib',
    version: bill.goVersion,
    licenses: [{ license: { id: 'BSD-3-Clause' } }],
    purl: `pkg:golang/stdlib@${bill.goVersion}`,
  }
  const libraries = bill.libraries.map(({ name, digest }) => ({
    type: 'library',
    'bom-ref': `library:${name}`,
    name,
    ...(digest === undefined ? {} : { hashes: [sha256(digest)] }),
    properties: [{ name: 'fairway:linked', value: 'dynamically' }],
  }))
  const files = bill.files
    .filter(({ path }) => path !== bill.binary)
    .map((file) => ({
      type: 'file',
      'bom-ref': `file:${file.path}`,
      name: file.path,
      hashes: [{ alg: 'SHA-1', content: file.sha1 }, sha256(file.sha256)],
    }))
  const binary = bill.files.find(({ path }) => path === bill.binary)
  const mainUrl = packageUrl(bill.main)
  const parts = [...modules, standardLibrary, ...libraries, ...files]
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(bill.createdAt * 1000).toISOString(),
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', name: 'fairway', version: bill.toolVersion }] },
      component: {
        type: 'application',
        'bom-ref': root,
        name: bill.service,
        version: bill.version,
        ...(binary === undefined ? {} : { hashes: [{ alg: 'SHA-1', content: binary.sha1 }, sha256(binary.sha256)] }),
        ...licenceField(bill.main.licences),
        ...(mainUrl === undefined ? {} : { purl: mainUrl }),
        properties: [
          { name: 'fairway:artifact', value: `sha256:${bill.artifact}` },
          { name: 'fairway:module', value: bill.main.path },
        ],
      },
    },
    components: parts,
    dependencies: [
      { ref: root, dependsOn: parts.map((part) => part['bom-ref']) },
      ...parts.map((part) => ({ ref: part['bom-ref'] })),
    ],
  }
  const { $schema, bomFormat, specVersion, ...rest } = document
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(document))}`
  return `${JSON.stringify({ $schema, bomFormat, specVersion, serialNumber, ...rest }, undefined, 2)}\n`
}

function moduleComponent(module: BilledModule) {
  const purl = packageUrl(module)
  return {
    type: 'library',
    'bom-ref': purl ?? `module:${moduleName(module)}`,
    name: module.path,
    ...(module.version === '' ? {} : { version: module.version }),
    ...licenceField(module.licences),
    ...(purl === undefined ? {} : { purl }),
    ...(module.sum === undefined ? {} : { properties: [{ name: 'fairway:go-sum', value: module.sum }] }),
  }
}

/** A file that holds the texts of several: all of them hold, as far as anybody can say by reading. */
function licenceField(ids: readonly string[]): object {
  const [first, ...more] = ids
  if (first === undefined) return {}
  return { licenses: more.length === 0 ? [{ license: { id: first } }] : [{ expression: ids.join(' AND ') }] }
}

function sha256(content: string): object {
  return { alg: 'SHA-256', content }
}
