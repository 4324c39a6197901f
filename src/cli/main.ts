import { existsSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { FairwayError } from '../base/error.ts'
import { helpHint, parseCommandLine } from './command-line.ts'
import { homeOf } from './context.ts'
import { commandTable } from './command-table.ts'
import { projectFolder } from './project-folder.ts'
import { printFailure } from './report/failure.ts'

/** The command line: parses, prints, and leaves with the exit status of what happened. */
async function main(): Promise<number> {
  const environment = withHome(process.env)
  const words = process.argv.slice(2)
  const dashes = words.indexOf('--')
  // Known before all is understood: what is not understood is said in the form that was asked for.
  const json = words.slice(0, dashes < 0 ? words.length : dashes).includes('--json')
  try {
    const parsed = parseCommandLine(words, {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
    })
    if (parsed.kind === 'end') return parsed.exit
    const { input, options } = parsed
    const command = commandTable.find(({ words }) => words === input.words)
    if (command === undefined) throw new Error(`no command ${input.words}`)
    const cwd = process.cwd()
    const module = await command.load()
    const running = module.run(input, {
      options,
      environment,
      cwd,
      folder: projectFolder(cwd, options.project),
      home: homeOf(options, environment, cwd),
      stdout: process.stdout,
      stderr: process.stderr,
      stdin: process.stdin,
      who: whoAmI(environment),
    })
    return await running.catch((error: unknown) => {
      throw withHelp(error, input.words)
    })
  } catch (error) {
    return printFailure(error, { json, stdout: process.stdout, stderr: process.stderr })
  }
}

/** A service of the system, a cron job: HOME need not be set, and where it is the system knows. */
function withHome(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if ((environment['HOME'] ?? '') !== '') return environment
  try {
    const { homedir } = userInfo()
    return existsSync(homedir) && homedir !== '/' ? { ...environment, HOME: homedir } : environment
  } catch {
    return environment // no passwd entry
  }
}

/** Whoever wrote what a command does not take is shown what it does take. */
function withHelp(error: unknown, words: string): unknown {
  if (!(error instanceof FairwayError) || error.code !== 'USAGE' || error.hint !== undefined) return error
  const { code, message, details, cause } = error
  return new FairwayError(code, message, { hint: helpHint(words), details, cause })
}

function whoAmI(environment: NodeJS.ProcessEnv): string {
  const clean = (text: string) => text.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, 48)
  let user = environment['SUDO_USER'] ?? environment['USER'] ?? ''
  try {
    if (user === '') user = userInfo().username
  } catch {
    user = String(process.getuid?.() ?? 'unknown') // no passwd entry
  }
  return `${clean(user)}@${clean(hostname())}`
}

// A reader that went away (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})
process.exitCode = await main()
