import type { Diagnosis, Evidence } from './health.ts'
import {
  after,
  describeExit,
  type DiagnosisContext,
  fixedPortLine,
  lastWords,
  listenArg,
  listenHint,
  portOf,
  type Rule,
  serves,
} from './diagnosis-words.ts'
import {
  findListenSetting,
  findMissingFile,
  findMissingValues,
  findPanic,
  findPermission,
  findPortInUse,
  findRefusedLoopback,
  findServeCommand,
  findUnknownFlag,
  findUsage,
} from './output-clues.ts'

/** Told by how it ended or what it printed: the first that applies, the surest first. */
export const rulesOfTheEnd: readonly Rule[] = [
  outOfMemory,
  notExecutable,
  portInUse,
  loopbackRefused,
  panicked,
  unknownFlag,
  permission,
  missingFile,
  missingValue,
  needsArguments,
  killed,
  exited,
]

function outOfMemory({ exit, lines }: Evidence): Diagnosis | undefined {
  const limited = exit?.kind === 'out-of-memory'
  const refused = lines.some((line) =>
    /^fatal error: (?:runtime: )?(?:out of memory|cannot allocate memory)/.test(line),
  )
  if (!limited && !refused) return undefined
  return {
    cause: 'out-of-memory',
    what: limited
      ? 'was killed by the kernel: it needed more memory than its limit'
      : 'ended because it got no more memory',
    hint: 'Give it more, `limits: { memory: 512Mi }`, or find what holds it: a heap profile, a cache without bound, a file read whole.',
  }
}

function notExecutable({ exit, lines }: Evidence, { service }: DiagnosisContext): Diagnosis | undefined {
  const formatError = lines.find((line) => /exec format error|cannot execute binary/i.test(line))
  const library = lines.find((line) => /error while loading shared libraries|version `GLIBC\S*' not found/.test(line))
  const status = exit?.kind === 'exit' ? exit.code : undefined
  if (library !== undefined && status !== 0) {
    return {
      cause: 'not-executable',
      what: `cannot run on this machine: ${library.trim()}`,
      hint: 'The binary needs C libraries. Build it without cgo (CGO_ENABLED=0), or install what it names.',
    }
  }
  if (status === 126 || (formatError !== undefined && status !== 0)) {
    const why = formatError?.replace(/^.*exec format error:?\s*/i, '').trim() ?? ''
    return {
      cause: 'not-executable',
      what: `is not a program this machine can run${why === '' ? '' : `: ${why}`}`,
      hint: `Build it for this machine (GOOS, GOARCH in the environment of the build?), and see that ${service} is a main package.`,
    }
  }
  if (status === 127) {
    return {
      cause: 'not-executable',
      what: `could not be started: ${lastWords(lines) ?? 'the program was not found'}`,
      hint: `The artifact's binary is \`./${service}\`; other programs must be on the PATH of the host, or among \`files:\`.`,
    }
  }
  return undefined
}

export function portInUse(
  { lines, exit, expected, listening }: Evidence,
  context: DiagnosisContext,
): Diagnosis | undefined {
  const found = findPortInUse(lines)
  if (found === undefined || (exit === undefined && serves(listening, expected))) return undefined
  const { address } = found
  const asTold = address === undefined || expected === undefined || portOf(address) === portOf(expected)
  return {
    cause: 'port-in-use',
    what: asTold
      ? `could not listen${address === undefined ? '' : ` on ${address}`}: the port is in use`
      : `wants to listen on ${address}, which is in use, and not on ${expected}, as it was told`,
    hint: asTold ? takenHint(context) : `${listenHint(lines, context)}${furtherPortHint(address, context)}`,
  }
}

function takenHint({ listen, network }: DiagnosisContext): string {
  if (listen.kind !== 'port' || network === 'own') {
    return 'Another program has taken the port since; the next start gets another one. Does it listen twice on the same port?'
  }
  return `\`ss -ltnp 'sport = :${listen.port}'\` names who has it. With a network of its own the port is its alone: \`fairway doctor\` says what is missing for that.`
}

/** A second copy of it cannot have what the first has. */
function furtherPortHint(address: string | undefined, context: DiagnosisContext): string {
  const port = Number(portOf(address ?? ''))
  if (!(port > 0) || context.network === 'own') return ''
  const beside = `\`services: { ${context.service}: { ports: [${port}] } }\``
  return ` If its port is fixed: ${fixedPortLine([port], context)}; if it listens there beside the one it is told: ${beside}`
}

/** It means a database of this machine, and in its own network 127.0.0.1 is itself. */
export function loopbackRefused({ lines }: Evidence, { service, network }: DiagnosisContext): Diagnosis | undefined {
  const address = network === 'own' ? findRefusedLoopback(lines) : undefined
  if (address === undefined) return undefined
  return {
    cause: 'loopback',
    what: `could not reach ${address}: it has a network of its own, and there nothing listens at that address`,
    hint: `What a value or an argument names on 127.0.0.1, as in \`DATABASE_URL=postgres://127.0.0.1:5432/…\`, is this machine's: name it so, and see with \`ss -ltn\` that it listens. Or share the machine's network: \`services: { ${service}: { network: host } }\`, then one instance at a time.`,
  }
}

function panicked({ lines, exit }: Evidence, { livedMs }: DiagnosisContext): Diagnosis | undefined {
  const panic = findPanic(lines)
  if (panic === undefined || (exit?.kind === 'exit' && exit.code === 0)) return undefined
  const [top] = panic.frames
  return {
    cause: 'panic',
    what: `panicked ${after(livedMs)}: ${panic.message}${panic.frames.length === 0 ? '' : `, in ${panic.frames.join(' ← ')}`}`,
    hint:
      top === undefined ? 'The trace is among its last lines.' : `Look at ${top}; the trace is among its last lines.`,
  }
}

function unknownFlag({ lines }: Evidence, { listen }: DiagnosisContext): Diagnosis | undefined {
  const flag = findUnknownFlag(lines)
  if (flag === undefined) return undefined
  const bare = flag.replace(/^-+/, '').replace(/=.*$/, '')
  const fromListen = listen.kind === 'arg' && bare !== '' && listen.template.includes(bare)
  const { flag: known } = fromListen
    ? findListenSetting(
        lines.filter((line) => !line.includes(flag)),
        '',
      )
    : {}
  const better = known === undefined ? '' : ` It speaks of ${known}: \`${listenArg(known)}\`.`
  return {
    cause: 'unknown-flag',
    what: `does not know ${flag}`,
    hint: fromListen
      ? `It comes from \`listen: { arg: '${listen.template}' }\` in fairway.yaml: name the flag the program has.${better}`
      : 'It comes from `args:` in fairway.yaml: write what the program’s usage says.',
  }
}

export function permission({ lines }: Evidence, context: DiagnosisContext): Diagnosis | undefined {
  const refusal = findPermission(lines)
  if (refusal === undefined) return undefined
  if (refusal.kind === 'port') {
    return {
      cause: 'permission',
      what: `may not listen on ${refusal.what}: ports below 1024 are the system's`,
      hint: `The gateway has the public port; the program needs only the one it is given. ${listenHint(lines, context)}`,
    }
  }
  return {
    cause: 'permission',
    what: refusal.kind === 'file' ? `may not use ${refusal.what}` : `was not permitted something: ${refusal.what}`,
    hint: 'It runs as a user of its own, and its folder is read-only. To keep data: `data: true`, and write below $STATE_DIRECTORY; for what may go: $TMPDIR. To run as another user: `user:`.',
  }
}

export function missingFile({ lines }: Evidence, { service }: DiagnosisContext): Diagnosis | undefined {
  const file = findMissingFile(lines)
  if (file === undefined) return undefined
  const relative = !file.startsWith('/')
  const folder = file.replace(/^\.\//, '').split('/')[0] ?? file
  return {
    cause: 'missing-file',
    what: `did not find ${file}`,
    hint: relative
      ? `Only what \`files:\` names comes along with the binary: \`files: ['${file.includes('/') ? `${folder}/**` : file}']\`. A folder it writes to: \`data: true\`, and $STATE_DIRECTORY.`
      : `Put it there on the host of ${service}, or give the program another path: among its \`args:\`, or in a value of the environment.`,
  }
}

export function missingValue({ lines }: Evidence, { knownKeys }: DiagnosisContext): Diagnosis | undefined {
  const [name, ...others] = findMissingValues(lines, { keys: knownKeys })
  if (name === undefined) return undefined
  const more = others.length === 0 ? '' : `; so it says of ${others.join(', ')}`
  if (/^[A-Z][A-Z0-9_]*$/.test(name)) {
    return {
      cause: 'missing-value',
      what: `needs ${name}, which has no value${more}`,
      hint: `Write ${name}=… into .env.ENV, or \`fairway secret set ${name}\`; and declare it, so that it is checked before the start: \`config: { ${name}: { required: true } }\`.`,
    }
  }
  const flag = name.startsWith('-') ? name : `--${name}`
  return {
    cause: 'missing-value',
    what: `needs ${flag}, which was not given${more}`,
    hint: `Give it in fairway.yaml: \`args: ['${flag}=…']\`.`,
  }
}

function needsArguments({ lines, exit }: Evidence, { livedMs }: DiagnosisContext): Diagnosis | undefined {
  if (!findUsage(lines) || exit?.kind !== 'exit' || livedMs > 10_000) return undefined
  const command = findServeCommand(lines)
  return {
    cause: 'needs-arguments',
    what: `exited ${after(livedMs)} with status ${exit.code} after printing its usage`,
    hint: `Tell it what to do: \`args: [${command ?? '…'}]\` in fairway.yaml, as its usage says.`,
  }
}

function killed({ exit }: Evidence, { livedMs }: DiagnosisContext): Diagnosis | undefined {
  if (exit?.kind !== 'signal') return undefined
  const { signal } = exit
  const crash = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP', 'SIGSYS'].includes(signal)
  return {
    cause: 'killed',
    what: `${crash ? 'crashed with' : 'was ended by'} ${signal} ${after(livedMs)}`,
    hint: crash
      ? 'A crash below Go: cgo, unsafe, assembler, or a CPU without what the binary was built for (GOAMD64).'
      : signal === 'SIGKILL'
        ? 'Not by Fairway. When the whole machine is out of memory, the kernel picks a victim: see `dmesg | grep -i oom`.'
        : 'Somebody sent it that signal, perhaps the program itself.',
  }
}

function exited({ exit, lines }: Evidence, { livedMs, listen }: DiagnosisContext): Diagnosis | undefined {
  if (exit === undefined) return undefined
  const words = lastWords(lines)
  const said = words === undefined ? ' without a word' : `: ${words}`
  return {
    cause: 'exited',
    what: `${describeExit(exit)} ${after(livedMs)}${said}`,
    hint:
      exit.kind === 'exit' && exit.code === 0
        ? `It did its work and left; a service stays. ${listen.kind === 'none' ? 'A worker, too.' : 'Does it need a subcommand, `args: [serve]`?'} What is to end is a job: \`before:\` or \`fairway run\`.`
        : 'Its last lines say why, or nothing does: then log the error before you exit.',
  }
}
