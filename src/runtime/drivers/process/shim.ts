import { constants } from 'node:os'
import type { Argv } from '../../../base/exec.ts'
import { parseProcessStat } from '../../../base/process-identity.ts'
import type { ExitStatus } from '../../runtime.ts'
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

/** `dropped`: the program's user differs from ours, so nothing may lead back (setuid programs). */
export function shimArgv(
  tools: Pick<ProcessContext['tools'], 'setsid' | 'setpriv'>,
  program: Argv,
  { dropped }: { dropped: boolean },
): Argv {
  const drop = dropped ? [tools.setpriv, '--no-new-privs'] : []
  return [
    '/bin/sh',
    '-c',
    shim,
    'fairway-shim',
    tools.setsid,
    ...drop,
    '/bin/sh',
    '-c',
    becomeProgram,
    'sh',
    ...program,
  ]
}

/** Where a file is no program of this machine, a shell would try to run it as a script: this says so instead, with the status a shell has for it. */
export function refusalArgv(reason: string): Argv {
  return ['/bin/sh', '-c', 'printf "%s\\n" "$1" >&2; exit 126', 'sh', reason]
}

/** What a shell sets, changes or needs for itself cannot be passed through it. */
const shellsOwn = new Set(['PWD', 'OLDPWD', 'IFS', 'OPTIND', 'PPID', 'LINENO', 'SHLVL', '_', 'fairway_shim'])

/** Why this variable cannot be passed to the program, or undefined. */
export function refuseVariable(name: string, value: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return 'a name has letters, digits and underscores, and begins with no digit'
  if (shellsOwn.has(name)) return 'the name belongs to the shell that starts the program'
  if (value.includes('\0')) return 'a value cannot hold a NUL byte'
  return undefined
}

export interface ShimReport {
  readonly program?: { readonly pid: number; readonly startTicks: number }
  /** As `$?` has it: 128 + n for signal n. */
  readonly exit?: number
}

/** Reads the status file. A line without its end is still being written and does not count. */
export function parseStatusFile(text: string): ShimReport {
  let report: ShimReport = {}
  for (const line of text.split('\n').slice(0, -1)) {
    const [, stat] = /^started (\d+ .*)$/.exec(line) ?? []
    const [, exit] = /^exit (\d{1,3})$/.exec(line) ?? []
    if (stat !== undefined) {
      const program = { pid: Number.parseInt(stat, 10), startTicks: parseProcessStat(stat).startTicks }
      if (program.pid > 1 && Number.isFinite(program.startTicks)) report = { ...report, program }
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
