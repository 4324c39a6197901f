import { createHash } from 'node:crypto'
import { type Bill, type BilledModule, moduleName, packageUrl, uuidOf } from './bill.ts'

/** @see SPDX 2.3, JSON */
export function spdxText(bill: Bill): string {
  const root = 'SPDXRef-Service'
  const files = bill.files.map(({ path, sha1, sha256 }) => ({
    SPDXID: `SPDXRef-File-${nameOf(path)}`,
    fileName: `./${path}`,
    ...(path === bill.binary ? { fileTypes: ['BINARY', 'APPLICATION'] } : {}),
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1 },
      { algorithm: 'SHA256', checksumValue: sha256 },
    ],
    licenseConcluded: 'NOASSERTION',
    licenseInfoInFiles: ['NOASSERTION'],
    copyrightText: 'NOASSERTION',
  }))
  const parts = [
    ...bill.modules.map((module) => modulePackage(module)),
    {
      SPDXID: 'SPDXRef-Package-stdlib',
      name: 'stdlib',
      versionInfo: bill.goVersion,
      ...unexamined(['BSD-3-Clause']),
      primaryPackagePurpose: 'LIBRARY',
      externalRefs: [reference(`pkg:golang/stdlib@${bill.goVersion}`)],
    },
    ...bill.libraries.map(({ name, digest }) => ({
      SPDXID: `SPDXRef-Library-${nameOf(name)}`,
      name,
      ...unexamined([]),
      primaryPackagePurpose: 'LIBRARY',
      comment: 'Linked dynamically.',
      ...(digest === undefined ? {} : { checksums: [{ algorithm: 'SHA256', checksumValue: digest }] }),
    })),
  ]
  const mainUrl = packageUrl(bill.main)
  const service = {
    SPDXID: root,
    name: bill.service,
    versionInfo: bill.version,
    ...unexamined(bill.main.licences),
    filesAnalyzed: true,
    packageVerificationCode: {
      packageVerificationCodeValue: createHash('sha1').update(bill.files.map(({ sha1 }) => sha1).toSorted().join('')).digest('hex'), // prettier-ignore
    },
    licenseInfoFromFiles: ['NOASSERTION'],
    primaryPackagePurpose: 'APPLICATION',
    comment: `Main module ${bill.main.path}; artifact sha256:${bill.artifact}`,
    ...(mainUrl === undefined ? {} : { externalRefs: [reference(mainUrl)] }),
  }
  const relation = (from: string, type: string, to: string) => ({
    spdxElementId: from,
    relationshipType: type,
    relatedSpdxElement: to,
  })
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${bill.service}-${bill.version}`,
    creationInfo: {
      created: new Date(bill.createdAt * 1000).toISOString().replace('.000Z', 'Z'),
      creators: [`Tool: fairway-${bill.toolVersion}`],
    },
    packages: [service, ...parts],
    files,
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', root),
      ...parts.map(({ SPDXID }) => relation(root, 'DEPENDS_ON', SPDXID)),
      ...files.map(({ SPDXID }) => relation(root, 'CONTAINS', SPDXID)),
    ],
  }
  // The name space is where SPDX itself proposes it: nothing has to lie there.
  const documentNamespace = `https://spdx.org/spdxdocs/${encodeURIComponent(bill.service)}-${uuidOf(JSON.stringify(document))}`
  const { packages, files: listed, relationships, ...head } = document
  return `${JSON.stringify({ ...head, documentNamespace, packages, files: listed, relationships }, undefined, 2)}\n`
}

function modulePackage(module: BilledModule) {
  const purl = packageUrl(module)
  return {
    SPDXID: `SPDXRef-Package-${nameOf(moduleName(module))}`,
    name: module.path,
    ...(module.version === '' ? {} : { versionInfo: module.version }),
    ...unexamined(module.licences),
    primaryPackagePurpose: 'LIBRARY',
    ...(module.sum === undefined ? {} : { comment: `go.sum ${module.sum}` }),
    ...(purl === undefined ? {} : { externalRefs: [reference(purl)] }),
  }
}

/** Declared is what stands in its LICENSE file; nobody concluded anything. */
function unexamined(licences: readonly string[]) {
  return {
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licences.length === 0 ? 'NOASSERTION' : licences.join(' AND '),
    copyrightText: 'NOASSERTION',
    supplier: 'NOASSERTION',
  }
}

function reference(locator: string) {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: locator }
}

/** Letters, digits, dot and hyphen; two names that differ in other characters alone stay two. */
function nameOf(text: string): string {
  return `${text.replaceAll(/[^A-Za-z0-9.-]/g, '-')}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`
}
