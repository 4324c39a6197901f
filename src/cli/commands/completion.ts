import { FairwayError } from '../../base/error.ts'
import { commandTable, globalOptions } from '../command-table.ts'
import type { CommandModule } from '../command.ts'

/** A script for the shell, made from the same table as the help. */
export const run: CommandModule['run'] = async ({ positionals }, { stdout }) => {
  const [shell = ''] = positionals
  const script = { bash, zsh, fish }[shell]
  if (script === undefined) {
    throw new FairwayError('USAGE', `completion: expected bash, zsh or fish, found ${JSON.stringify(shell)}`, {
      hint: 'source <(fairway completion bash)',
    })
  }
  stdout.write(script())
  return 0
}

const longFlag = (flags: string) => /--[a-z-]+/.exec(flags)?.[0] ?? ''
const firstWords = [...new Set(commandTable.map(({ words }) => words.split(' ')[0] ?? ''))]
const secondWords = (first: string) =>
  commandTable.flatMap(({ words }) => (words.startsWith(`${first} `) ? [words.split(' ')[1] ?? ''] : []))
const flagsOf = (words: string) => {
  const own = commandTable.find((command) => command.words === words)?.options ?? []
  return [...own, ...globalOptions].map(({ flags }) => longFlag(flags))
}

function bash(): string {
  const cases = firstWords.flatMap((first) => {
    const seconds = secondWords(first)
    if (seconds.length === 0) return [`    ${first}) words='${flagsOf(first).join(' ')}' ;;`]
    return [
      ...seconds.map((second) => `    '${first} ${second}') words='${flagsOf(`${first} ${second}`).join(' ')}' ;;`),
      `    ${first}*) words='${seconds.join(' ')}' ;;`,
    ]
  })
  return `# fairway completion for bash
_fairway() {
  local current=\${COMP_WORDS[COMP_CWORD]} chosen= word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) chosen="\${chosen:+$chosen }$word" ;; esac
  done
  case $chosen in
    '') words='${firstWords.join(' ')}' ;;
${cases.join('\n')}
    *) words='${globalOptions.map(({ flags }) => longFlag(flags)).join(' ')}' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _fairway fairway ./fairway
`
}

function zsh(): string {
  const quote = (text: string) => text.replaceAll("'", "'\\''").replaceAll(':', '\\:')
  const firsts = firstWords.map((first) => `    '${first}:${quote(summaryOf(first))}'`)
  const cases = firstWords.map((first) => {
    const seconds = secondWords(first)
    const words = seconds.length > 0 ? seconds : flagsOf(first)
    return `    ${first}) compadd -- ${words.join(' ')} ;;`
  })
  return `#compdef fairway
# fairway completion for zsh
_fairway() {
  local -a commands
  commands=(
${firsts.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  case \${words[2]} in
${cases.join('\n')}
  esac
  _files
}
compdef _fairway fairway
`
}

function fish(): string {
  const quote = (text: string) => text.replaceAll("'", "\\'")
  const lines = firstWords.map(
    (first) => `complete -c fairway -n __fish_use_subcommand -f -a ${first} -d '${quote(summaryOf(first))}'`,
  )
  for (const { words, summary, options = [] } of commandTable) {
    const [first = '', second] = words.split(' ')
    if (second !== undefined) {
      lines.push(`complete -c fairway -n '__fish_seen_subcommand_from ${first}' -f -a ${second} -d '${quote(summary)}'`)
    }
    for (const { flags, description } of options) {
      const long = longFlag(flags).slice(2)
      lines.push(`complete -c fairway -n '__fish_seen_subcommand_from ${first}' -l ${long} -d '${quote(description)}'`)
    }
  }
  for (const { flags, description } of globalOptions) {
    lines.push(`complete -c fairway -l ${longFlag(flags).slice(2)} -d '${quote(description)}'`)
  }
  return `# fairway completion for fish\n${lines.join('\n')}\n`
}

function summaryOf(first: string): string {
  const all = commandTable.filter(({ words }) => words === first || words.startsWith(`${first} `))
  return all.length === 1 ? (all[0]?.summary ?? '') : all.map(({ words }) => words.split(' ')[1]).join(', ')
}
