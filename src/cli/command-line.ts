import { Command, CommanderError } from 'commander'
import { errorCatalogue, FairwayError } from '../base/error.ts'
import { nearestWord } from '../base/nearest.ts'
import { version } from '../server/api.ts'
import { commandTable, globalOptions } from './command-table.ts'
import type { CommandInput, CommandSpec } from './command.ts'
import type { GlobalOptions } from './context.ts'
import { checkServiceName } from './service-name.ts'

export type ParsedCommandLine =
  | { readonly kind: 'run'; readonly input: CommandInput; readonly options: GlobalOptions }
  /** Help or version was printed. */
  | { readonly kind: 'end'; readonly exit: number }

interface Output {
  out(text: string): void
  err(text: string): void
}

const groups: Readonly<Record<string, string>> = {
  rollout: 'Look at a rollout, let it go on, or turn it back',
  config: 'See where values come from, check and compare them',
  secret: 'Set, list and remove secret values',
  mod: 'Ask about Go modules: what is outdated, why one is here, licences',
  lint: 'Find what in a source tree will hurt, and why',
  cache: 'Look after the Go modules that are kept here',
  bundle: 'Carry all that a build needs to a machine without a network',
  toolchain: 'List, fetch, choose, verify and remove versions of Go',
  server: 'Start, stop, install and back up the control plane',
}

/** @throws FairwayError USAGE with the nearest known word */
export function parseCommandLine(words: readonly string[], output: Output): ParsedCommandLine {
  let chosen: { input: CommandInput; options: GlobalOptions } | undefined
  const program = createProgram(output, (input, options) => (chosen = { input, options }))
  try {
    const [first, ...rest] = words
    // Commander's own `help` looks at one word (of `help config diff` it would show `config`), and of one that it does not
    // know it shows everything.
    if (first !== 'help' || rest.length === 0) program.parse([...words], { from: 'user' })
    else program.parse(isCommand(rest) ? [...rest, '--help'] : rest, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'end', exit: 0 }
    if (error.code === 'commander.help') return { kind: 'end', exit: errorCatalogue.USAGE.exit } // a group's, unasked
    throw usageError(error, words)
  }
  return chosen === undefined ? { kind: 'end', exit: 0 } : { kind: 'run', ...chosen }
}

/** A command or a group of them, as far as its words go. */
function isCommand([first = '', second = '']: readonly string[]): boolean {
  if (first.startsWith('-')) return true
  if (!isGroup(first)) return commandTable.some(({ words }) => words === first)
  return second === '' || commandTable.some(({ words }) => words === `${first} ${second}`)
}

function isGroup(word: string): boolean {
  return commandTable.some(({ words }) => words.startsWith(`${word} `))
}

/** "error: unknown command 'staus'\n(Did you mean status?)" */
function usageError({ code, message }: CommanderError, words: readonly string[]): FairwayError {
  const [what = '', guess] = message.split('\n')
  const unknown = code === 'commander.unknownCommand' ? /'([^']*)'/.exec(what)?.[1] : undefined
  const hint = unknown === undefined ? hintOf(words, guess) : hintInstead(unknown, words)
  return new FairwayError('USAGE', what.replace(/^error: /, ''), { hint })
}

/** Of a command that is known. `guess` is commander's own: '(Did you mean --plan?)' */
function hintOf(words: readonly string[], guess: string | undefined): string {
  const help = helpHint(commandIn(words) ?? '')
  return guess === undefined ? help : `${guess.replaceAll(/[()]/g, '')} ${help}`
}

/** The command that was meant, whole: of its group, of another's, or of none. */
function hintInstead(unknown: string, words: readonly string[]): string {
  const group = words.find((word, index) => isGroup(word) && words[index + 1] === unknown)
  const all = commandTable.map((spec) => spec.words)
  const help = helpHint(group ?? '')
  const own = all.flatMap((name) => (name.startsWith(`${group} `) ? [name.slice(name.indexOf(' ') + 1)] : []))
  if (group !== undefined) {
    const near = nearestWord(unknown, own)
    return near === undefined ? help : `Did you mean \`fairway ${group} ${near}\`? ${help}`
  }
  const inGroups = all.filter((name) => name.endsWith(` ${unknown}`))
  const near = nearestWord(unknown, [...new Set(all.map((name) => name.split(' ')[0] ?? '')), ...all])
  const meant = inGroups.length > 0 ? inGroups : near === undefined ? [] : [near]
  return meant.length === 0 ? help : `Did you mean ${meant.map((name) => `\`fairway ${name}\``).join(' or ')}? ${help}`
}

/** The command or group that was named, wherever options stand. */
function commandIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => isGroup(word) || commandTable.some((spec) => spec.words === word))
  const [first, second] = words.slice(Math.max(0, at))
  if (at < 0 || first === undefined) return undefined
  const whole = `${first} ${second ?? ''}`
  return isGroup(first) && commandTable.some((spec) => spec.words === whole) ? whole : first
}

/** @param words of a command or a group; '' for none */
export function helpHint(words: string): string {
  if (words === '') return '`fairway help` lists the commands, `fairway help COMMAND` shows what one takes.'
  return isGroup(words)
    ? `\`fairway help ${words}\` lists its commands.`
    : `\`fairway help ${words}\` shows what it takes, with examples.`
}

function createProgram(output: Output, onChosen: (input: CommandInput, options: GlobalOptions) => void): Command {
  const program = new Command('fairway')
    .description('Takes a Go service from its repository to production and keeps it healthy there.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [COMMAND]', 'print what a command does')
    .configureHelp({ showGlobalOptions: true })
  prepare(program, output)
  // Understood before the command as well as after it.
  for (const { flags, description } of globalOptions) program.option(flags, description)
  program.addHelpText(
    'after',
    '\nStart in the folder of a Go service:  fairway up\nErrors and what to do: docs/errors/',
  )
  const parents = new Map<string, Command>()
  for (const spec of commandTable) {
    const [first = '', second] = spec.words.split(' ')
    let parent = program
    if (second !== undefined) {
      parent = parents.get(first) ?? prepare(program.command(first).description(groups[first] ?? ''), output)
      parents.set(first, parent)
    }
    const command = prepare(parent.command(second ?? first).description(spec.summary), output)
    defineCommand(command, spec, onChosen)
  }
  return program
}

function defineCommand(
  command: Command,
  spec: CommandSpec,
  onChosen: (input: CommandInput, options: GlobalOptions) => void,
): void {
  for (const positional of spec.positionals ?? []) command.argument(positional)
  for (const { flags, description } of spec.options ?? []) command.option(flags, description)
  const width = Math.max(...spec.examples.map(([example]) => example.length))
  const examples = spec.examples.map(([example, what]) => `  ${example.padEnd(width)}  ${what}`)
  command.addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
  command.action((...args: unknown[]) => {
    const options = command.optsWithGlobals<Record<string, string | boolean | undefined>>()
    const positionals = args
      .slice(0, spec.positionals?.length ?? 0)
      .flatMap((value) => (Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : []))
    for (const { flags } of globalOptions) refuseEmpty(flags, options)
    const services = args[spec.positionals?.indexOf('[SERVICE...]') ?? -1]
    if (Array.isArray(services)) for (const service of services) checkServiceName(String(service))
    const { env = 'dev', ...rest } = options
    onChosen({ words: spec.words, positionals, options }, { ...(rest as Partial<GlobalOptions>), env: String(env) })
  })
}

/** `--home "$UNSET"` means the folder that was meant, not the one that holds by default. */
function refuseEmpty(flags: string, options: Readonly<Record<string, unknown>>): void {
  const [flag = '', value] = flags.split(' ')
  const name = flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  if (options[name] !== '') return
  throw new FairwayError('USAGE', `${flag}: expected ${value ?? 'a value'}, found nothing`, {
    hint: 'Is the variable set that it was to come from?',
  })
}

function prepare(command: Command, output: Output): Command {
  return command.exitOverride().configureOutput({
    writeOut: (text) => output.out(text),
    writeErr: (text) => output.err(text),
    outputError: () => {}, // said with its code and hint, as every other error
  })
}
