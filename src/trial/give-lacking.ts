import { dataWorkdir } from '../config/index.ts'
import { type Candidate, findDefault, flagsOf, isListenName, isSideDoor, rankCandidates, valueFor } from './clues.ts'
import { giveConfigFiles } from './give-config.ts'
import { toListen } from './find-listen.ts'
import { soundsLikePlace } from './find-place.ts'
import type { Missing } from './findings.ts'
import type { Known } from './known.ts'
import { flagChoices, flagPlaceholder, isSecretName, placeholderFor } from './placeholder.ts'
import type { Setup } from './setup.ts'

/** Of setups that give all that is lacking, one way or another: the first of them are tried. */
const maxWays = 6

export function isVariableName(name: string): boolean {
  return /^[A-Z][A-Z0-9_]*$/.test(name)
}

/** Gives what it says it lacks, all at once; the likeliest way first. A name that can be given no more is passed over. Pure. */
export function giveLacking(setup: Setup, names: readonly string[], text: readonly string[], known: Known): Setup[] {
  let ways = [setup]
  for (const name of likeliestToListenFirst(names)) {
    const next = ways.flatMap((way) =>
      isVariableName(name) ? giveVariable(way, name, known) : giveFlag(way, name, text, known),
    )
    if (next.length > 0) ways = next.slice(0, maxWays)
  }
  return ways.filter((way) => way !== setup)
}

/** Of several that sound like where to listen one alone is: a port before the address beside it, what serves pages before side doors. */
function likeliestToListenFirst(names: readonly string[]): string[] {
  const candidates = names.flatMap((name): Candidate[] =>
    isListenName(name.replace(/^-+/, '')) ? [{ kind: 'flag', name, value: '', from: '' }] : [],
  )
  const ranked = rankCandidates(candidates, undefined).map(({ name }) => name)
  const [best] = ranked.toSorted((a, b) => Number(isPort(b)) - Number(isPort(a)))
  const first = best === undefined || isSideDoor(best) ? ranked[0] : best
  return first === undefined ? [...names] : [first, ...names.filter((name) => name !== first)]
}

function isPort(name: string): boolean {
  return /(?:^|[-._])port$/i.test(name) && !isSideDoor(name)
}

function giveVariable(setup: Setup, name: string, known: Known): Setup[] {
  const listens = giveListen(setup, { kind: 'variable', name, about: '' }, known)
  return [...listens, ...giveValue(setup, name, known)]
}

function giveValue(setup: Setup, name: string, known: Known): Setup[] {
  if (known.keys.includes(name)) return [] // it has one, and is not content with it: its own words say why
  if (setup.listen?.kind === 'env' && setup.listen.name === name) return []
  const had = setup.missing.some((each) => each.kind === 'value' && each.name === name)
  const kinds = [0, 1, 2].flatMap((attempt) => placeholderFor(name, attempt) ?? [])
  const next = kinds[had ? kinds.indexOf(setup.env[name] ?? '') + 1 : 0]
  if (next === undefined) return []
  const missing: Missing[] = had
    ? [...setup.missing]
    : [...setup.missing, { kind: 'value', name, secret: isSecretName(name) }]
  return [{ ...setup, env: { ...setup.env, [name]: next }, missing }]
}

function giveFlag(setup: Setup, name: string, text: readonly string[], known: Known): Setup[] {
  const bare = name.replace(/^-+/, '')
  const written = flagsOf(text).find(({ name: each, short = '' }) =>
    [each, short].some((one) => one.replace(/^-+/, '') === bare),
  )
  // What its help does not know is no flag.
  if (written === undefined && !name.startsWith('-')) return []
  const flag = name.startsWith('-') || written === undefined ? name : bare.length === 1 ? `-${bare}` : written.name
  const isGiven = (words: readonly string[]) => words.some((word) => word === flag || word.startsWith(`${flag}=`))
  if (isGiven(setup.args) || (setup.listen?.kind === 'arg' && isGiven(setup.listen.template.split(' ')))) return []
  const about = written?.about ?? ''
  const variable = variableOf(about)
  // By its variable it was given already, which it does not obey: that is tried with the flag.
  if (variable !== undefined && variable in setup.env) return []
  const listens = giveListen(setup, { kind: 'flag', name: flag, about }, known)
  const files = /config|conf$/i.test(bare) ? giveConfigFiles(setup, flag, known) : []
  if (files.length > 0) return files
  const kept = giveKept(setup, flag, about, known)
  const byVariable = variable === undefined || listens.length + kept.length > 0 ? [] : giveValue(setup, variable, known)
  const isNumber = /\b(?:u?int(?:16|32|64)?|number|port)\b/i.test(about)
  const choices = isNumber ? [] : flagChoices(about)
  const hasPort = setup.listen?.kind === 'arg' && setup.listen.template.endsWith('={{port}}')
  const plain = isListenName(bare)
    ? isNumber
      ? '9090'
      : hasPort
        ? '127.0.0.1'
        : '127.0.0.1:9090'
    : isNumber
      ? '1'
      : flagPlaceholder(bare, about, known.service)
  const values = choices.length > 0 ? choices.slice(0, 4) : [plain]
  return [
    ...listens,
    ...kept,
    ...byVariable,
    ...values.map((value): Setup => ({
      ...setup,
      args: [...setup.args, `${flag}=${value}`],
      missing: [...setup.missing, { kind: 'flag', flag, value, ...(choices.length > 0 ? { choices } : {}) }],
    })),
  ]
}

/** What it lacks is to be told where it listens: the one way it is told so. */
function giveListen(
  setup: Setup,
  { kind, name, about }: Pick<Candidate, 'kind' | 'name'> & { readonly about: string },
  { said, keys }: Known,
): Setup[] {
  const bare = name.replace(/^-+/, '')
  const sounds =
    isListenName(bare) ||
    /\b(?:port|address) to (?:listen|serve|bind)|\blisten(?:s|ing)? (?:on|address|port)/i.test(about)
  if (!sounds || setup.listen !== undefined || keys.includes(name) || name === 'PORT') return []
  if (/^(?:.*[-._])?(?:host|hostname|ip)$/i.test(bare)) return [] // a host alone is no port
  const value = valueFor(bare, findDefault(about), about)
  const because = [...setup.because, `it ends without ${name}, and says so: it is told there where to listen`]
  const isNumber = /\b(?:u?int(?:16|32|64)?|number)\b/i.test(about)
  const other = value === '{{port}}' ? '{{host}}:{{port}}' : '{{port}}'
  return (isNumber ? [value] : [value, other]).map((each) => ({
    ...setup,
    listen: toListen({ kind, name, value: each }),
    // What fairway.yaml says otherwise is for its writer to change.
    missing:
      said.listen === undefined
        ? setup.missing
        : [...setup.missing, { kind: 'flag', flag: name, value: each } as const],
    because,
  }))
}

/** A folder, or a file in it, that it keeps. */
function giveKept(setup: Setup, flag: string, about: string, { said, service }: Known): Setup[] {
  const bare = flag.replace(/^-+/, '')
  if (!soundsLikePlace.test(bare) || /\b(?:url|dsn|connection)\b/i.test(about) || said.data === false) return []
  const places = [dataWorkdir, ...(/db|database|file|path|store/i.test(bare) ? [`${dataWorkdir}/${service}.db`] : [])]
  return places.map((value) => ({
    ...setup,
    args: [...setup.args, `${flag}=${value}`],
    missing: said.args === undefined ? setup.missing : [...setup.missing, { kind: 'flag', flag, value } as const],
    because: [...setup.because, `it ends without ${flag}, and says so: it is told a folder that is kept`],
  }))
}

/** The variable by which a flag can be told too: '[$SHOP_TOKEN]', '($SHOP_TOKEN)', '(env: SHOP_TOKEN)'. */
export function variableOf(about: string): string | undefined {
  return (
    /[[(]\$([A-Z][A-Z0-9_]+)/.exec(about)?.[1] ??
    /\b(?:[Ee]nv|ENV)(?:ironment)?(?:[ _-]?[Vv]ar(?:iable)?s?)?\s*[:=]?\s*["'`$]*([A-Z][A-Z0-9_]+)\b/.exec(about)?.[1]
  )
}
