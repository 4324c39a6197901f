/** What a program says that it lacks, as people and flag packages write it: all that one run of it names. */

/** Names beside those that show by their spelling what they are. */
export interface NamesKnown {
  /** Variables it reads, or has values for. */
  readonly keys: readonly string[]
  /** Flags of its help, without dashes. */
  readonly flags?: readonly string[]
}

const maxNames = 12
/** '-a', '"b"', '--c=STRING', '$D' */
const item = String.raw`["'\x60<(]{0,3}\$?-{0,2}[A-Za-z][\w.-]{0,80}(?:=[^\s,;"'\x60>)]{0,80})?["'\x60>)]{0,3}`
/** Blanks are single by then, and each has one place where it is taken: else a long list is read in 2^15 ways. */
const list = String.raw`(?<![\w$.-])(${item}(?:(?: ?[,;&+] ?(?:and )?| and )${item}){0,15})`
const kindWords = String.raw`(?:command[- ]line|env|environment|config(?:uration)?|flag\(s\)|flags?|options?|arguments?|args?|parameters?|variable\(s\)|variables?|vars?|values?|settings?|keys?)`
const set = '(?:set|provided|specified|given|defined|configured|passed|supplied|present)'
const lacking = [
  'required|mandatory|missing|empty|unset|undefined|blank',
  `not (?:be )?(?:${set}|empty|blank)`,
  `(?:cannot|can't|can not|must not|may not|should not) be (?:empty|blank|unset)`,
  `(?:must|should|needs? to|ha(?:s|ve) to)(?: both| all)?(?: be)? (?:${set}|non-?empty)`,
  'has no value|missing value|needs a value',
].join('|')
const after = new RegExp(
  String.raw`${list}(?: ${kindWords}){0,3}:?(?: both| all)?(?: (?:is|are|was|were|be|but))?(?: both| all)? (?:${lacking})\b`,
  'gi',
)
const asking = [
  'missing|requires|require|required|undefined|no value (?:given )?for|unset|specify|provide',
  '(?:must|please|have to|need to|needs to|should) (?:set|specify|provide|give|supply|pass|define|export)',
  '(?:^|: )(?:set|need|needs|export|pass|supply|give|define)',
].join('|')
const before = new RegExp(
  String.raw`(?:\b|^)(?:${asking})((?: (?:the|a|an|following|required|mandatory|necessary|one of|both|of|for|${kindWords})){0,6}):? ${list}(?=\s*(?:$|[.,;:!)\]"'\x60]|(?:before|to|in|as|is|are|was|were|not|must|flags?|options?|env\w*|variables?)\b))`,
  'gi',
)

const speaks =
  /missing|requir|mandatory|\bset\b|unset|empty|undefined|provid|specif|given|value|need|must|please|suppl|export|pass|defin|give|blank|configured|present/i

/** It says what it does instead. */
const excused =
  /\b(?:using (?:the )?(?:built-?in |in-?memory )?defaults?|defaulting|default(?:s)? to|fall(?:s|ing)? back|will use|is used instead|disabled|disabling|skipping)\b/i
/** Capitals that are words of a sentence. */
const noVariable =
  /^(?:TLS|SSL|HTTPS?|GRPC|TCP|UDP|IP|DNS|URL|URI|JSON|YAML|TOML|XML|HTML|SQL|DB|API|CA|JWT|ID|UUID|EOF|FATAL|ERROR|ERR|WARN|WARNING|INFO|DEBUG|PANIC|TRACE|USAGE|NOTE|AND|OR|NOT|IS|ARE|MUST|BE|SET|REQUIRED|MISSING|ENV|OK|NULL|NIL|CPU|RAM|GPU|CGO|GET|POST|PUT)$/

/** Keys of the environment as they are, flags as they are spelled, in the order they are named; [] where no sentence says so. */
export function findNamedTogether(lines: readonly string[], known: NamesKnown): string[] {
  const found = new Set<string>()
  for (const line of joinLists(withoutExcuses(lines))) {
    const text = tidy(line)
    if (!speaks.test(text)) continue
    for (const [, names = ''] of text.matchAll(after)) for (const name of accepted(names, text, known)) found.add(name)
    for (const [, kinds = '', names = ''] of text.matchAll(before))
      for (const name of accepted(names, text, known, kinds)) found.add(name)
  }
  return [...found].slice(0, maxNames)
}

/** It does without, so that is not why it ended. */
export function withoutExcuses(lines: readonly string[]): string[] {
  return lines.filter((line) => !excused.test(line.slice(0, 2_000)))
}

/** Without the lines of a help, and a list that stands below its heading on the heading's line. */
function joinLists(lines: readonly string[]): string[] {
  const sentences = lines.filter((line) => !/^\s+-{1,2}\w|^ {4}\t|^\s{10,}|^\s*usage\b/i.test(line))
  return sentences.map((line, at) => {
    if (!/\b(?:missing|required|requires|must|set|need|unset)\b[^:]{0,80}:\s*$/i.test(line)) return line
    const rest = sentences.slice(at + 1)
    const end = rest.findIndex((each) => !/^\s*(?:[-*•]\s+)?\$?-{0,2}[A-Za-z][\w.-]*(?:\s*[:(].*)?$/.test(each))
    const names = (end < 0 ? rest : rest.slice(0, end)).map((each) => /\$?-{0,2}[A-Za-z][\w.-]*/.exec(each)?.[0] ?? '')
    return `${line.trimEnd()} ${names.join(', ')}`
  })
}

/** Its own words, beside a usage text: 'error: -bind is required'. */
export function findComplaint(lines: readonly string[]): string | undefined {
  const sentences = lines.filter(
    (line) => !/^\s*$|^\s|^-{1,2}\w|:\s*$|^\s*(?:usage|name|version|author|description|incorrect usage)\b/i.test(line),
  )
  return sentences
    .find((line) =>
      /\b(?:error|fatal|missing|required?s?|must|invalid|unknown|cannot|not|no|fail\w*|needs?|expected|panic|please)\b/i.test(
        line.slice(0, 2_000),
      ),
    )
    ?.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d(?:\.\d+)? /, '') // as Go's log begins a line
    .trim()
    .slice(0, 200)
}

function tidy(line: string): string {
  return line
    .slice(0, 1_000)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\[([\w$ .,-]+)\]/g, (_, inner: string) => inner.trim().split(/[ ,]+/).join(', ')) // a slice, as Go prints it
    .replaceAll(/(?<![\w-])-\w(?:, ?|\/| or )(--[\w.-]+)/g, '$1') // one flag, by both of its names
    .replaceAll(
      /(?<![\w$-])(["'`$]*-{0,2}[A-Za-z][\w.-]*["'`]?)(?: or |\/| \/ |\|)(?:the )?(?:env\w* )?(?:var\w* )?(["'`$]*-{0,2}[A-Za-z][\w.-]*["'`]?)/g,
      (whole, one: string, other: string) => {
        if (!isName(one) && !isName(other)) return whole
        return isVariable(bareOf(other)) && !isVariable(bareOf(one)) ? other : one // either will do
      },
    )
}

function bareOf(written: string): string {
  return written.replaceAll(/["'`<>()$]|=.*$/g, '').replace(/[.-]+$/, '')
}

function isVariable(name: string): boolean {
  return /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(name)
}

function isName(written: string): boolean {
  const bare = bareOf(written)
  return bare.startsWith('-') || isVariable(bare)
}

/** @param kinds what they are called, where that stands before them */
function accepted(names: string, text: string, { keys, flags = [] }: NamesKnown, kinds?: string): string[] {
  const written = names.split(/\s*(?:[,;&+]|\sand\s)\s*(?:and\s)?/)
  const bare = written.map(bareOf)
  const isOfVariables = /\benv(?:ironment)?\b|\benv ?vars?\b/i.test(text) || bare.some(isVariable)
  return bare.filter((name, at) => {
    if (name.startsWith('-')) return /^-{1,2}[A-Za-z]/.test(name) && !/^--?(?:help|h)$/.test(name)
    if (isVariable(name) || keys.includes(name)) return true
    if (/^[A-Z][A-Z0-9]*$/.test(name)) return !noVariable.test(name) && (isOfVariables || name.length > 2)
    if (flags.includes(name)) return true
    if (!/^[a-z][\w.-]*$/.test(name) || /^(?:flags?|options?|values?|missing|required|error)$/.test(name)) return false
    // Words of a sentence, unless it calls them flags or sets them apart.
    const isQuoted = [names, written[at] ?? ''].some((each) => /^["'`].*["'`]$/.test(each))
    return kinds === undefined ? isQuoted : /\b(?:flags?|options?)\b/i.test(kinds)
  })
}
