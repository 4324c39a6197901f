import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readText } from '../base/read-file.ts'
import { askGo, type ListedModule, listPackages, type ModuleContext } from './listed-module.ts'
import { recognizeLicence } from './licence.ts'

export interface ModuleLicence {
  /** A module's path, or `std`. */
  readonly module: string
  readonly version: string
  /** SPDX identifiers of all texts found, file by file; empty: not known. Whether they hold together or by choice no file says for sure. */
  readonly ids: readonly string[]
  /** 'Commons Clause' and the like, which restrict what the identifiers allow. */
  readonly restrictions: readonly string[]
  /** 'LICENSE', 'COPYING.txt'; empty where there is none. */
  readonly files: readonly string[]
  /** Of those, the ones whose text is none that is known. */
  readonly unknown: readonly string[]
}

export interface BinaryLicences {
  /** 'web', or a main package's import path. */
  readonly name: string
  readonly modules: readonly ModuleLicence[]
}

const licenceFile = /^(?:licen[cs]es?|copying|unlicense)(?:[-._].*)?$/i
const maxBytes = 16 * 1024 * 1024 // go's own bound for LICENSE

/** Of the modules that a main package is linked with, in this module's vendor folder or the module cache. */
export async function findLicences(
  { name, mainPackage, moduleFolder }: { name: string; mainPackage: string; moduleFolder: string },
  context: ModuleContext,
): Promise<BinaryLicences> {
  const packages = await listPackages([mainPackage], moduleFolder, context)
  const modules = new Map(
    packages.flatMap(({ Module: one }) => (one === undefined || one.Main === true ? [] : [[one.Path, one]])),
  )
  const root = (await askGo(['env', 'GOROOT'], moduleFolder, context)).trim()
  const found = [await readLicence('std', `go${context.toolchain.version}`, root)]
  for (const module of [...modules.values()].toSorted((a, b) => a.Path.localeCompare(b.Path))) {
    const { version, folder } = linked(module, moduleFolder)
    found.push(await readLicence(module.Path, version, folder))
  }
  return { name, modules: found }
}

/** What replaces a module is what is linked. A vendored one has no folder but that in vendor/. */
function linked(
  { Path: path, Version: version = '', Dir: folder, Replace: replace }: ListedModule,
  moduleFolder: string,
) {
  const source =
    replace === undefined ? '' : ` => ${replace.Path}${replace.Version === undefined ? '' : `@${replace.Version}`}`
  return { version: `${version}${source}`, folder: replace?.Dir ?? folder ?? join(moduleFolder, 'vendor', path) }
}

async function readLicence(module: string, version: string, folder: string): Promise<ModuleLicence> {
  const names = (await readdir(folder).catch(() => [])).filter(
    (name) => licenceFile.test(name) && !name.endsWith('.go'),
  )
  const ids = new Set<string>()
  const restrictions = new Set<string>()
  const files: string[] = []
  const unknown: string[] = []
  for (const name of names.toSorted()) {
    const path = join(folder, name)
    const { size } = await stat(path)
    const text = size > maxBytes ? '' : await readText(path).catch(() => undefined)
    if (text === undefined) continue // a folder: LICENSES/
    files.push(name)
    const recognized = recognizeLicence(text)
    if (recognized.ids.length === 0) unknown.push(name)
    for (const id of recognized.ids) ids.add(id)
    for (const one of recognized.restrictions) restrictions.add(one)
  }
  return { module, version, ids: [...ids], restrictions: [...restrictions], files, unknown }
}
