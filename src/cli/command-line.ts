import { Command, CommanderError } from 'commander'
import { errorCatalogue, FairwayError } from '../base/error.ts'
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
  rollout: 'Look at a rollout, turn it back',
  config: 'Where configuration values come from',
  secret: 'Values that nobody reads',
  mod: 'What a person asks of modules',
  lint: 'What in a tree will hurt, and why',
  server: 'The control plane of this home',
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
    throw usageError(error)
  }
  return chosen === undefined ? { kind: 'end', exit: 0 } : { kind: 'run', ...chosen }
}

/** A command or a group of them, as far as its words go. */
function isCommand([first = '', second = '']: readonly string[]): boolean {
  if (first.startsWith('-')) return true
  if (!Object.hasOwn(groups, first)) return commandTable.some(({ words }) => words === first)
  return second === '' || commandTable.some(({ words }) => words === `${first} ${second}`)
}

/** "error: unknown command 'staus'\n(Did you mean status?)" */
function usageError({ message }: CommanderError): FairwayError {
  const [what = '', guess] = message.split('\n')
  const help = '`fairway help` lists the commands, `fairway help COMMAND` shows what one takes.'
  return new FairwayError('USAGE', what.replace(/^error: /, ''), {
    hint: guess === undefined ? help : `${guess.replaceAll(/[()]/g, '')} ${help}`,
  })
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
