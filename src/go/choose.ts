import { FairwayError } from '../base/error.ts'
import type { Mention } from './mentions.ts'

/** A main package, with what speaks for and against it. */
export interface MainCandidate {
  /** From the project's folder, as fairway.yaml names it: './cmd/web' */
  readonly package: string
  /** Absolute. */
  readonly folder: string
  readonly moduleFolder: string
  readonly importPath: string
  /** What a service of it is called unless fairway.yaml says otherwise. */
  readonly service: string
  /** The module's root, or a folder named like the module's last element. */
  readonly named: 'root' | 'like-module' | 'otherwise'
  /** The folder that says it is not meant to run: 'examples'; or its own name: 'healthcheck'. */
  readonly decoy: string | undefined
  /** Where somebody wrote down that it is started, or built. */
  readonly mention?: Mention
  /** Where it was seen to listen: 'main.go has http.ListenAndServe'. */
  readonly serves: string | undefined
}

/** A choice with its reasons: what `fairway build --explain` shows. */
export interface Choice {
  readonly chosen: MainCandidate | undefined
  readonly why: string
  /** The best first, each with why it stands there. */
  readonly candidates: readonly { readonly candidate: MainCandidate; readonly reasons: readonly string[] }[]
}

/**
 * Which main package is meant. It says so only where nothing else could be: the only one, the one that a Procfile or
 * Dockerfile starts, what serves and is the module's root or named like the module, the only one that serves. Pure, and the
 * order of the candidates does not matter.
 */
export function chooseMain(candidates: readonly MainCandidate[]): Choice {
  const ranked = [...candidates].sort((a, b) => rank(a) - rank(b) || (a.package < b.package ? -1 : 1))
  const explained = ranked.map((candidate) => ({ candidate, reasons: reasonsOf(candidate) }))
  const choice = (chosen: MainCandidate | undefined, why: string): Choice => ({ chosen, why, candidates: explained })
  const [only] = ranked
  if (only === undefined) return choice(undefined, 'there is no main package')
  if (ranked.length === 1) return choice(only, 'it is the only main package')
  // Whoever packs it knows, wherever it lies.
  const started = ranked.filter(({ mention }) => mention?.weight === 3)
  if (started.length === 1) return choice(started[0], started[0]?.mention?.why ?? '')
  const meant = ranked.filter(({ decoy }) => decoy === undefined)
  if (meant.length === 1) return choice(meant[0], 'the other main packages are in folders for tests, tools or examples')
  const field = meant.length > 0 ? meant : ranked
  const serving = field.filter(({ serves }) => serves !== undefined)
  const own = serving.filter(({ named }) => named !== 'otherwise')
  if (own.length === 1) return choice(own[0], 'it serves, and it is the module’s root or named like the module')
  const roots = own.filter(({ named }) => named === 'root')
  if (roots.length === 1) return choice(roots[0], 'it serves, and it is the module’s root')
  if (serving.length === 1) return choice(serving[0], 'it is the only one that serves')
  for (const weight of [2, 1] as const) {
    const recorded = serving.filter(({ mention }) => mention?.weight === weight)
    if (recorded.length === 1) return choice(recorded[0], `it serves, and ${recorded[0]?.mention?.why}`)
    if (recorded.length > 1) break
  }
  const usual = serving.filter(({ folder }) => usualName.test(folder))
  if (usual.length === 1) return choice(usual[0], 'it serves, and is called as servers are')
  if (serving.length > 1) return choice(undefined, 'several main packages could serve')
  const named = field.filter((candidate) => candidate.named !== 'otherwise')
  if (named.length === 1) return choice(named[0], 'it is the module’s root or named like the module')
  return choice(undefined, 'none of several main packages stands out')
}

const usualName = /\/(?:server|api|web|app|httpd?|daemon|service)$/

function rank({ decoy, serves, named, mention }: MainCandidate): number {
  const standing = { root: 0, 'like-module': 1, otherwise: 2 }[named]
  if (mention?.weight === 3) return standing - 100
  return (
    (decoy === undefined ? 0 : 20) + (serves === undefined ? 10 : 0) + standing * 2 - (mention === undefined ? 0 : 1)
  )
}

function reasonsOf({ decoy, serves, named, mention }: MainCandidate): string[] {
  const reasons: string[] = []
  if (mention !== undefined) reasons.push(mention.why)
  if (named === 'root') reasons.push('it is the module’s root')
  if (named === 'like-module') reasons.push('it is named like the module')
  if (serves !== undefined) reasons.push(serves)
  if (decoy !== undefined) reasons.push(decoy.endsWith('/') ? `it lies under ${decoy}` : `it is called ${decoy}`)
  return reasons.length > 0 ? reasons : ['nothing was seen that listens']
}

/**
 * The chosen one, or an error that shows the candidates and the lines to write.
 * @param service the name it is to have in fairway.yaml, where there is one
 * @throws FairwayError MAIN_NOT_FOUND, MAIN_AMBIGUOUS
 */
export function demandMain(choice: Choice, service?: string): MainCandidate {
  if (choice.chosen !== undefined) return choice.chosen
  const details = choice.candidates.map(({ candidate, reasons }) => `${candidate.package}: ${reasons.join('; ')}`)
  const [best] = choice.candidates
  if (best === undefined) {
    throw new FairwayError(
      'MAIN_NOT_FOUND',
      'No main package was found: this module is a library, or holds no code yet',
      {
        hint: 'A program has a `package main` with a func main; if it lies elsewhere, name it in fairway.yaml: services: { web: { build: ./cmd/web } }',
      },
    )
  }
  const { candidate } = best
  throw new FairwayError(
    'MAIN_AMBIGUOUS',
    `${choice.why}: ${choice.candidates.map((each) => each.candidate.package).join(', ')}`,
    {
      hint: `Write to fairway.yaml which one is meant: services: { ${service ?? candidate.service}: { build: ${candidate.package} } }`,
      details,
    },
  )
}
