import { isAbsolute, relative, resolve } from 'node:path'

/** One `replace` of a go.mod or go.work. */
export interface ReplaceLine {
  readonly module: string
  /** Only this version of it; undefined: all. */
  readonly version?: string
  /** A folder, or a module. */
  readonly target: string
  readonly targetVersion?: string
  readonly line: number
}

/** @see https://go.dev/ref/mod#go-mod-file-replace */
export function parseReplaceLines(text: string): ReplaceLine[] {
  const found: ReplaceLine[] = []
  let isInBlock = false
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/(?:^|\s)\/\/.*$/, '').trim()
    if (isInBlock && line === ')') isInBlock = false
    else if (/^replace\s*\($/.test(line)) isInBlock = true
    else {
      const rest = isInBlock ? line : /^replace\s+(.*)$/.exec(line)?.[1]
      const [left, right] = rest?.split('=>') ?? []
      const [module, version] = words(left ?? '')
      const [target, targetVersion] = words(right ?? '')
      if (module === undefined || target === undefined) continue
      found.push({
        module,
        ...(version === undefined ? {} : { version }),
        target,
        ...(targetVersion === undefined ? {} : { targetVersion }),
        line: index + 1,
      })
    }
  }
  return found
}

function words(text: string): string[] {
  return Array.from(text.matchAll(/"([^"]*)"|`([^`]*)`|(\S+)/g), ([, quoted, raw, bare]) => quoted ?? raw ?? bare ?? '')
}

/** `elsewhere`: out of the repository; `inside`: a folder of it; `module`: another module, from where all modules come. */
export interface JudgedReplace extends ReplaceLine {
  /** 'app/go.mod' */
  readonly file: string
  readonly kind: 'elsewhere' | 'inside' | 'module'
  readonly isMissing: boolean
  /** Where it breaks, and why. */
  readonly why: string
}

interface JudgeOptions {
  /** Absolute. */
  readonly file: string
  readonly projectFolder: string
  /** The repository's; the project's where there is none. */
  readonly repository: string
  readonly exists: (folder: string) => boolean
}

export function judgeReplace(
  line: ReplaceLine,
  { file, projectFolder, repository, exists }: JudgeOptions,
): JudgedReplace {
  const base = { ...line, file: relative(projectFolder, file) }
  const dependents = 'Whoever requires this module does not get it, and `go install MODULE@VERSION` refuses it.'
  const isWork = file.endsWith('go.work')
  if (!/^\.{0,2}\//.test(line.target) && line.target !== '.' && line.target !== '..') {
    return { ...base, kind: 'module', isMissing: false, why: isWork ? 'Holds in this workspace alone.' : dependents }
  }
  const folder = resolve(file, '..', line.target)
  const isMissing = !exists(folder)
  const missing = isMissing ? 'The folder is not there: nothing builds. ' : ''
  if (isAbsolute(line.target)) {
    return { ...base, kind: 'elsewhere', isMissing, why: `${missing}A path of this machine: it breaks on every other.` }
  }
  if (relative(repository, folder).startsWith('..')) {
    const why = 'It leads out of the repository: a clone alone does not build, in CI nor anywhere else.'
    return { ...base, kind: 'elsewhere', isMissing, why: `${missing}${why}` }
  }
  return {
    ...base,
    kind: 'inside',
    isMissing,
    why: `${missing}${isWork ? 'Holds in this workspace alone.' : dependents}`,
  }
}
