import { readdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { BuildFinding } from './compiler-output.ts'

/** A command that makes code, and what shows that it did not run. */
export interface Generator {
  /** Below the project's folder. */
  readonly in: string
  readonly command: readonly string[]
  /** 'views/page.templ has no views/page_templ.go' */
  readonly why: string
}

const skipped = /^(?:[._].*|vendor|testdata|node_modules)$/
const maxFiles = 20_000

/**
 * The tools whose output is missing first, then those a `//go:generate` line near the failure names.
 * @param findings what the compiler misses
 */
export async function findGenerators(
  moduleFolder: string,
  folder: string,
  findings: readonly BuildFinding[],
): Promise<Generator[]> {
  const files = await listFiles(moduleFolder)
  const names = new Set(files)
  const inModule = relative(folder, moduleFolder)
  const where = inModule === '' ? '.' : inModule
  const shown = (path: string) => (inModule === '' ? path : `${inModule}/${path}`)
  const found: Generator[] = []
  const templ = files.find((path) => path.endsWith('.templ') && !names.has(path.replace(/\.templ$/, '_templ.go')))
  if (templ !== undefined) {
    const why = `${shown(templ)} has no ${shown(templ.replace(/\.templ$/, '_templ.go'))}`
    found.push({ in: where, command: ['templ', 'generate'], why })
  }
  for (const path of files.filter((each) => /(?:^|\/)sqlc\.(?:ya?ml|json)$/.test(each))) {
    const text = await readText(join(moduleFolder, path)).catch(() => '')
    const outs = Array.from(text.matchAll(/["']?\bout["']?\s*:\s*["']?([^"'\s,}]+)/g), ([, out = '']) => out)
    const missing = outs.find(
      (out) => !files.some((each) => each.startsWith(`${join(dirname(path), out)}/`) && each.endsWith('.go')),
    )
    if (missing === undefined) continue
    const place = dirname(shown(path))
    found.push({ in: place, command: ['sqlc', 'generate'], why: `${shown(path)} makes ${missing}, which is not there` })
  }
  const hasMessages = files.some((path) => path.endsWith('.pb.go'))
  const proto = files.find((path) => path.endsWith('.proto'))
  const buf = files.find((path) => /(?:^|\/)buf\.gen\.ya?ml$/.test(path))
  if (proto !== undefined && !hasMessages) {
    const why = `${shown(proto)} is there, and no .pb.go file`
    if (buf !== undefined) found.push({ in: dirname(shown(buf)), command: ['buf', 'generate'], why })
    else found.push({ in: where, command: ['protoc', '--go_out=.', '--go-grpc_out=.', proto], why })
  }
  const gql = files.find((path) => /(?:^|\/)gqlgen\.ya?ml$/.test(path))
  if (gql !== undefined && !files.some((path) => /(?:^|\/)generated\.go$/.test(path))) {
    const why = `${shown(gql)} is there, and no generated.go`
    found.push({ in: dirname(shown(gql)), command: ['go', 'run', 'github.com/99designs/gqlgen', 'generate'], why })
  }
  found.push(...(await nearGenerateLines(moduleFolder, folder, files, findings)))
  return found
}

/** `//go:generate` in the package that misses something, or in the one that is missed. */
async function nearGenerateLines(
  moduleFolder: string,
  folder: string,
  files: readonly string[],
  findings: readonly BuildFinding[],
): Promise<Generator[]> {
  const missed = findings.flatMap(({ message }) => /package (\S+?)[;:]?(?:\s|$)/.exec(message)?.[1] ?? [])
  const near = new Set(findings.flatMap(({ file }) => (file === undefined ? [] : [dirname(join(folder, file))])))
  const lines: { generator: Generator; isNear: boolean }[] = []
  for (const path of files.filter((each) => each.endsWith('.go'))) {
    const text = await readText(join(moduleFolder, path)).catch(() => '')
    const directive = /^\/\/go:generate\s+(.+)$/m.exec(text)?.[1]
    if (directive === undefined) continue
    const place = join(moduleFolder, dirname(path))
    const isNear = near.has(place) || missed.some((name) => name.endsWith(`/${dirname(path)}`))
    const target = dirname(path) === '.' ? '.' : `./${dirname(path)}`
    const inModule = relative(folder, moduleFolder)
    lines.push({
      isNear,
      generator: {
        in: inModule === '' ? '.' : inModule,
        command: ['go', 'generate', target],
        why: `${relative(folder, join(moduleFolder, path))} says //go:generate ${directive.trim()}`,
      },
    })
  }
  const nearest = lines.filter(({ isNear }) => isNear)
  return (nearest.length > 0 ? nearest : lines).slice(0, 5).map(({ generator }) => generator)
}

async function listFiles(root: string): Promise<string[]> {
  const found: string[] = []
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      if (found.length >= maxFiles) return
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && !skipped.test(entry.name)) await walk(path)
      else if (entry.isFile()) found.push(path)
    }
  }
  await walk('')
  return found
}
