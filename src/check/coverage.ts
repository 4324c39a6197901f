/** Of statements. */
export interface Coverage {
  readonly covered: number
  readonly statements: number
}

/**
 * By import path of the package, from a profile of `go test -coverprofile`. A block that several test binaries name counts
 * once, as covered if any of them ran it.
 * @see golang.org/x/tools/cover: 'shop/cart.go:2.24,2.37 1 0' is file:from,to statements count
 */
export function parseCoverProfile(text: string): ReadonlyMap<string, Coverage> {
  const blocks = new Map<string, { package: string; statements: number; isCovered: boolean }>()
  for (const line of text.split('\n')) {
    const [, block, file, statements, count] = /^((.+\.\w+):[0-9]+\.[0-9]+,[0-9]+\.[0-9]+) ([0-9]+) ([0-9]+)\r?$/.exec(line) ?? [] // prettier-ignore
    if (block === undefined || file === undefined) continue // 'mode: set', or the end of a torn file
    const known = blocks.get(block)
    blocks.set(block, {
      package: file.slice(0, Math.max(0, file.lastIndexOf('/'))),
      statements: Number(statements),
      isCovered: known?.isCovered === true || Number(count) > 0,
    })
  }
  const packages = new Map<string, { covered: number; statements: number }>()
  for (const { package: name, statements, isCovered } of blocks.values()) {
    const one = packages.get(name) ?? { covered: 0, statements: 0 }
    one.statements += statements
    if (isCovered) one.covered += statements
    packages.set(name, one)
  }
  return packages
}

export function sumCoverage(all: Iterable<Coverage>): Coverage {
  let covered = 0
  let statements = 0
  for (const one of all) {
    covered += one.covered
    statements += one.statements
  }
  return { covered, statements }
}

/** Rounded down, so that 79.96 is not 80; undefined where there is nothing to cover. */
export function coveragePercent({ covered, statements }: Coverage): number | undefined {
  return statements === 0 ? undefined : Math.floor((covered * 1000) / statements) / 10
}
