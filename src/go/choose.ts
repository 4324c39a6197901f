import { FairwayError } from '../base/error.ts'

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
  /** The folder that says it is not meant to run: 'examples'. */
  readonly decoy: string | undefined
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
 * Which main package is meant. It says so only where nothing else could be: what serves and is the module's root or named
 * like the module, else the only one that serves, else the only one. Pure, and the order of the candidates does not matter.
 */
export function chooseMain(candidates: readonly MainCandidate[]): Choice {
  const ranked = [...candidates].sort((a, b) => rank(a) - rank(b) || (a.package < b.package ? -1 : 1))
  const explained = ranked.map((candidate) => ({ candidate, reasons: reasonsOf(candidate) }))
  const choice = (chosen: MainCandidate | undefined, why: string): Choice => ({ chosen, why, candidates: explained })
  const [only] = ranked
  if (only === undefined) return choice(undefined, 'there is no main package')
  if (ranked.length === 1) return choice(only, 'it is the only main package')
  const meant = ranked.filter(({ decoy }) => decoy === undefined)
  if (meant.length === 1) return choice(meant[0], 'the other main packages are in folders for tests, tools or examples')
  const field = meant.length > 0 ? meant : ranked
  const serving = field.filter(({ serves }) => serves !== undefined)
  const own = serving.filter(({ named }) => named !== 'otherwise')
  if (own.length === 1) return choice(own[0], 'it serves, and it is the module’s root or named like the module')
  if (serving.length === 1) return choice(serving[0], 'it is the only one that serves')
  if (serving.length > 1) return choice(undefined, 'several main packages could serve')
  const named = field.filter((candidate) => candidate.named !== 'otherwise')
  if (named.length === 1) return choice(named[0], 'it is the module’s root or named like the module')
  return choice(undefined, 'none of several main packages stands out')
}

function rank({ decoy, serves, named }: MainCandidate): number {
  const standing = { root: 0, 'like-module': 0, otherwise: 1 }[named]
  return (decoy === undefined ? 0 : 4) + (serves === undefined ? 2 : 0) + standing
}

function reasonsOf({ decoy, serves, named }: MainCandidate): string[] {
  const reasons: string[] = []
  if (named === 'root') reasons.push('it is the module’s root')
  if (named === 'like-module') reasons.push('it is named like the module')
  if (serves !== undefined) reasons.push(serves)
  if (decoy !== undefined) reasons.push(`it lies under ${decoy}/`)
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
