import { constants } from 'node:os'
import type { Argv } from '../../../base/exec.ts'
import { parseProcessStat } from '../../../base/process-identity.ts'
import type { ExitStatus, InstanceSpec } from '../../runtime.ts'
import type { ProcessContext } from './context.ts'

/**
 * The one shell text of the driver. It is fixed: the program and its arguments arrive as words, values in the
 * environment, and nothing is ever put into it.
 *
 * It waits at a gate (standard input) until the control plane has recorded it and put it into its cgroup; a control
 * plane that dies before has closed the gate, and nothing starts. The status file is open as 3, here alone: the program
 * does not get it. `trap :` rather than `trap ''`: an ignored signal would stay ignored after the exec. The program runs
 * in the foreground (with `&` it would ignore SIGINT) and in a session of its own (a kill of its group must leave us).
 */
const shim = `read -r fairway_shim || exit 0
unset fairway_shim
trap : TERM INT HUP QUIT
"$@" </dev/null
echo "exit $?" >&3`

/** Becomes the program: its pid, with its start time, is on disk before its first instruction. */
const becomeProgram = `read -r fairway_shim </proc/$$/stat && echo "started $fairway_shim" >&3 || exit 125
unset fairway_shim PWD OLDPWD
exec "$@" 3>&-`

const carrierPrefix = 'fairway_value_'

/** Gives the values their names back, as the program's user. `eval` sees names alone, which have letters, digits and _. */
const nameValues = `for fairway_name in $fairway_names; do
  eval "command export $fairway_name=\\"\\$${carrierPrefix}$fairway_name\\""
  unset "${carrierPrefix}$fairway_name"
done
unset fairway_name fairway_names PWD OLDPWD
exec "$@"`

export interface ShimCommand {
  readonly argv: Argv
  readonly env: Readonly<Record<string, string>>
}

/**
 * What to spawn, as Fairway's own user. A program with another user gets it at the last moment: a shim of that user could
 * be traced by the program, which would then write what it likes into the status file, and have us signal strangers. The
 * values travel under other names so far: nothing that runs as root may heed a LD_PRELOAD meant for the program.
 */
export function shimCommand(
  tools: Pick<ProcessContext['tools'], 'setsid' | 'setpriv' | 'unshare'>,
  program: Argv,
  env: Readonly<Record<string, string>>,
  { user, network }: Pick<InstanceSpec, 'user' | 'network'>,
): ShimCommand {
  const become = [...shell(shim, 'fairway-shim'), tools.setsid, ...shell(becomeProgram, 'sh')] as const
  // The shim waits in the namespace that its program is to have, and keeps its pid.
  const apart: Argv = network === undefined ? become : [tools.unshare, '--net', '--', ...become]
  return asUser(apart, program, env, { tools, user })
}

/** What to spawn for a command in the network namespace of a process. */
export function besideCommand(
  tools: Pick<ProcessContext['tools'], 'nsenter' | 'setpriv'>,
  pid: number,
  command: Argv,
  env: Readonly<Record<string, string>>,
  user: InstanceSpec['user'],
): ShimCommand {
  return asUser([tools.nsenter, `--net=/proc/${pid}/ns/net`, '--'], command, env, { tools, user })
}

function shell(text: string, name: string) {
  return ['/bin/sh', '-c', text, name] as const
}

/** @param before runs as Fairway's own user, and becomes the words behind it */
function asUser(
  before: Argv,
  program: Argv,
  env: Readonly<Record<string, string>>,
  { tools, user }: { tools: Pick<ProcessContext['tools'], 'setpriv'>; user: InstanceSpec['user'] },
): ShimCommand {
  if (user === undefined) return { argv: [...before, ...program], env }
  // No way may lead back (setuid programs).
  const drop = [tools.setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--no-new-privs']
  const names = Object.keys(env)
  return {
    argv: [...before, ...drop, ...shell(nameValues, 'sh'), ...program],
    env: {
      ...Object.fromEntries(names.map((name) => [carrierPrefix + name, env[name] ?? ''])),
      fairway_names: names.join(' '),
    },
  }
}

/** The program's variables, from the environment of a process that is it, or is about to become it. */
export function ownValues(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const names = env['fairway_names']?.split(' ').filter((name) => name !== '')
  return names === undefined ? env : Object.fromEntries(names.map((name) => [name, env[carrierPrefix + name] ?? '']))
}

/** Where a file is no program of this machine, a shell would try to run it as a script: this says so instead, with the status a shell has for it. */
export function refusalArgv(reason: string): Argv {
  return ['/bin/sh', '-c', 'printf "%s\\n" "$1" >&2; exit 126', 'sh', reason]
}

/** What a shell sets, changes or needs for itself cannot be passed through it. */
const shellsOwn = new Set(['PWD', 'OLDPWD', 'IFS', 'OPTIND', 'PPID', 'LINENO', 'SHLVL', '_'])

/** Why this variable cannot be passed to the program, or undefined. */
export function refuseVariable(name: string, value: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return 'a name has letters, digits and underscores, and begins with no digit'
  if (shellsOwn.has(name) || name.startsWith('fairway_')) return 'the name belongs to the shell that starts the program'
  if (value.includes('\0')) return 'a value cannot hold a NUL byte'
  return undefined
}

export interface ShimReport {
  readonly program?: { readonly pid: number; readonly startTicks: number }
  /** As `$?` has it: 128 + n for signal n. */
  readonly exit?: number
}

/** Reads the status file: who was named first. A line without its end is still being written and does not count. */
export function parseStatusFile(text: string): ShimReport {
  let report: ShimReport = {}
  for (const line of text.split('\n').slice(0, -1)) {
    const [, stat] = /^started (\d+ .*)$/.exec(line) ?? []
    const [, exit] = /^exit (\d{1,3})$/.exec(line) ?? []
    if (stat !== undefined) {
      const program = { pid: Number.parseInt(stat, 10), startTicks: parseProcessStat(stat).startTicks }
      if (program.pid > 1 && Number.isFinite(program.startTicks)) report = { program, ...report }
    }
    if (exit !== undefined) report = { ...report, exit: Number(exit) }
  }
  return report
}

const signalNames = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** A shell tells exit(143) and SIGTERM alike; of the two the signal is what happens. */
export function exitStatus(code: number): ExitStatus {
  const signal = signalNames.get(code - 128)
  return signal === undefined ? { kind: 'exit', code } : { kind: 'signal', signal }
}
