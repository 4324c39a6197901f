import { join } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { Recorded } from './build-lines.ts'
import type { Dependency } from './dependencies.ts'

/** A variable that others fill in with `-X`. */
export interface StampCandidate {
  /** 'main.version' */
  readonly variable: string
  /** Where it is declared or filled in: 'Makefile:12' */
  readonly where: string
}

const stampName = /^(?:app|build|git)?_?(?:version|commit|revision|date|builddate|buildtime|gitcommit|sha|tag|branch)$/i

/** From the files that build it; else string variables of the main package, and of one called `version`, that are named so. */
export async function findStamps(
  main: Dependency,
  packages: readonly Dependency[],
  recorded: ReadonlyMap<string, Recorded>,
): Promise<StampCandidate[]> {
  const found = new Map<string, StampCandidate>()
  for (const { builds } of recorded.values()) {
    for (const { stamps, where } of builds) {
      for (const variable of stamps) if (!found.has(variable)) found.set(variable, { variable, where })
    }
  }
  if (found.size > 0) return [...found.values()]
  for (const each of [main, ...packages.filter(({ folder }) => /\/(?:version|buildinfo)$/.test(folder))]) {
    for (const name of each.goFiles) {
      const text = await readText(join(each.folder, name)).catch(() => '')
      for (const variable of stringVariables(text).filter((one) => stampName.test(one))) {
        const whole = `${each === main ? 'main' : each.importPath}.${variable}`
        found.set(whole, { variable: whole, where: join(each.folder, name) })
      }
    }
  }
  return [...found.values()]
}

/** Those at the top of a file, alone or in a block: the linker can fill in no others. */
export function stringVariables(text: string): string[] {
  const names: string[] = []
  let inBlock = false
  for (const line of text.split('\n')) {
    if (/^var \($/.test(line.trimEnd())) inBlock = true
    else if (line.startsWith(')')) inBlock = false
    else {
      const [, name] = /^(?:var\s+|\t)(\w+)(?:\s+string)?\s*(?:=\s*"[^"]*")?\s*(?:\/\/.*)?$/.exec(line) ?? []
      const isString = /\sstring\b|=\s*"/.test(line)
      if (name !== undefined && isString && (inBlock ? line.startsWith('\t') : line.startsWith('var ')))
        names.push(name)
    }
  }
  return names
}
