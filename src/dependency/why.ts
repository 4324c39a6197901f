import { askGo, type ListedPackage, listPackages, type ModuleContext } from './listed-module.ts'

/** `imports`: a package of it is imported; `requires`: none is, it is named in a go.mod on the way. */
export type Reason =
  | { readonly kind: 'imports'; readonly path: readonly string[]; readonly inTests: boolean }
  | { readonly kind: 'requires'; readonly path: readonly string[] }
  | { readonly kind: 'absent' }

/** The shortest way from a main package, else from any of the module's own, else from their tests. */
export async function findReason(module: string, folder: string, context: ModuleContext): Promise<Reason> {
  for (const words of [['./...'], ['-test', './...']]) {
    const path = shortestImport(await listPackages(words, folder, context), module)
    if (path !== undefined) return { kind: 'imports', path, inTests: words.length > 1 }
  }
  // A vendor folder knows no graph.
  const graph = await askGo(['mod', 'graph'], folder, context)
  const path = shortestRequirement(graph, module)
  return path === undefined ? { kind: 'absent' } : { kind: 'requires', path }
}

/** @returns import paths, from a package of the main module to the first of the module that is asked about */
export function shortestImport(packages: readonly ListedPackage[], module: string): string[] | undefined {
  const own = packages.filter(({ Module: one }) => one?.Main === true)
  const mains = own.filter(({ Name: name, ImportPath: path }) => name === 'main' && !path.endsWith('.test'))
  const byPath = new Map(packages.map((one) => [one.ImportPath, one]))
  const next = (path: string) => byPath.get(path)?.Imports ?? []
  const isThere = (path: string) => byPath.get(path)?.Module?.Path === module
  for (const roots of [mains, own]) {
    const path = shortest(
      roots.map((one) => one.ImportPath),
      next,
      isThere,
    )
    if (path !== undefined) return path
  }
  return undefined
}

/** @param graph of `go mod graph`: 'MODULE[@VERSION] MODULE@VERSION' each line, the main module's first */
export function shortestRequirement(graph: string, module: string): string[] | undefined {
  const edges = new Map<string, string[]>()
  const roots = new Set<string>()
  for (const line of graph.split('\n')) {
    const [from, to] = line.trim().split(' ')
    if (from === undefined || to === undefined || to.startsWith('go@') || to.startsWith('toolchain@')) continue
    if (!from.includes('@')) roots.add(from)
    edges.set(from, [...(edges.get(from) ?? []), to])
  }
  return shortest(
    [...roots],
    (node) => edges.get(node) ?? [],
    (node) => node.split('@')[0] === module,
  )
}

function shortest(
  roots: readonly string[],
  next: (node: string) => readonly string[],
  isThere: (node: string) => boolean,
): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>(roots.map((root) => [root, undefined]))
  const queue = [...roots]
  for (const node of queue) {
    if (isThere(node)) {
      const path = [node]
      for (let one = cameFrom.get(node); one !== undefined; one = cameFrom.get(one)) path.unshift(one)
      return path
    }
    for (const each of next(node)) {
      if (cameFrom.has(each)) continue
      cameFrom.set(each, node)
      queue.push(each)
    }
  }
  return undefined
}
