/** As Go lists them; a file's name ends in one of them, or in both, to say where it is built. @see internal/syslist */
const systems = ['aix', 'android', 'darwin', 'dragonfly', 'freebsd', 'hurd', 'illumos', 'ios', 'js', 'linux', 'nacl', 'netbsd', 'openbsd', 'plan9', 'solaris', 'wasip1', 'windows', 'zos'] // prettier-ignore
const architectures = ['386', 'amd64', 'amd64p32', 'arm', 'armbe', 'arm64', 'arm64be', 'loong64', 'mips', 'mipsle', 'mips64', 'mips64le', 'mips64p32', 'mips64p32le', 'ppc', 'ppc64', 'ppc64le', 'riscv', 'riscv64', 's390', 's390x', 'sparc', 'sparc64', 'wasm'] // prettier-ignore
const unix = new Set(['aix', 'android', 'darwin', 'dragonfly', 'freebsd', 'hurd', 'illumos', 'ios', 'linux', 'netbsd', 'openbsd', 'solaris']) // prettier-ignore
/** One that implies another. */
const implied: Readonly<Record<string, string>> = { android: 'linux', illumos: 'solaris', ios: 'darwin' }

/** Beyond this many tags of one's own an expression is taken to be satisfiable. */
const maxTags = 10

/**
 * Whether some system, architecture and choice of tags builds the file.
 * @param constraint of its `//go:build` line
 * @see `go help buildconstraint`
 */
export function isEverBuilt(fileName: string, constraint: string | undefined): boolean {
  const expression = constraint === undefined ? undefined : parseConstraint(constraint)
  if (constraint !== undefined && expression === undefined) return true // go says what is wrong with it
  const named = constraintOfName(fileName)
  const tags = new Set<string>()
  expression?.collect(tags)
  const own = [...tags].filter((tag) => !systems.includes(tag) && !architectures.includes(tag) && tag !== 'unix')
  if (own.length > maxTags) return true
  for (const system of systems) {
    if (named.system !== undefined && named.system !== system && named.system !== implied[system]) continue
    for (const architecture of architectures) {
      if (named.architecture !== undefined && named.architecture !== architecture) continue
      if (expression === undefined) return true
      for (let choice = 0; choice < 2 ** own.length; choice += 1) {
        const holds = (tag: string) => {
          const index = own.indexOf(tag)
          if (index >= 0) return ((choice >> index) & 1) === 1
          return (
            tag === system || tag === implied[system] || tag === architecture || (tag === 'unix' && unix.has(system))
          )
        }
        if (expression.holds(holds)) return true
      }
    }
  }
  return false
}

/** 'conn_linux_amd64.go' */
export function constraintOfName(fileName: string): { system?: string; architecture?: string } {
  const [, ...parts] = fileName.replace(/(?:_test)?\.go$/, '').split('_')
  const last = parts.at(-1) ?? ''
  const before = parts.at(-2) ?? ''
  if (architectures.includes(last))
    return systems.includes(before) ? { system: before, architecture: last } : { architecture: last }
  return systems.includes(last) ? { system: last } : {}
}

interface Expression {
  holds(tag: (name: string) => boolean): boolean
  collect(into: Set<string>): void
}

/** @returns undefined for what is no expression */
export function parseConstraint(text: string): Expression | undefined {
  const tokens = text.replace(/\/\/.*$/, '').match(/&&|\|\||[!()]|[\p{L}\p{N}_.]+|\S/gu) ?? []
  let at = 0
  let depth = 0
  const binary = (operator: string, next: () => Expression | undefined, join: (a: boolean, b: boolean) => boolean) => {
    let left = next()
    while (left !== undefined && tokens[at] === operator) {
      at += 1
      const [first, second] = [left, next()]
      left =
        second === undefined
          ? undefined
          : {
              holds: (tag) => join(first.holds(tag), second.holds(tag)),
              collect: (into) => [first, second].forEach((each) => each.collect(into)),
            }
    }
    return left
  }
  const or = (): Expression | undefined => binary('||', and, (a, b) => a || b)
  const and = (): Expression | undefined => binary('&&', not, (a, b) => a && b)
  const not = (): Expression | undefined => {
    const token = tokens[at]
    at += 1
    if (token === undefined || (depth += 1) > 200) return undefined
    if (token === '!') {
      const inner = not()
      return inner === undefined
        ? undefined
        : { holds: (tag) => !inner.holds(tag), collect: (into) => inner.collect(into) }
    }
    if (token === '(') {
      const inner = or()
      at += 1
      return tokens[at - 1] === ')' ? inner : undefined
    }
    if (!/^[\p{L}\p{N}_.]+$/u.test(token)) return undefined
    return { holds: (tag) => tag(token), collect: (into) => void into.add(token) }
  }
  const expression = or()
  return at === tokens.length ? expression : undefined
}
