import type { Listen, ProbeSpecification } from '../config/index.ts'
import { parseAddress } from '../host/index.ts'
import { type ExitStatus, reaches } from '../runtime/index.ts'
import type { Diagnosis, Evidence, ProbeAnswer } from './health.ts'
import {
  findListenSetting,
  findMissingFile,
  findMissingValue,
  findPanic,
  findPermission,
  findPortInUse,
  findServeCommand,
  findUnknownFlag,
  findUsage,
} from './output-clues.ts'

export interface DiagnosisContext {
  readonly service: string
  readonly listen: Listen
  readonly probe: ProbeSpecification
  /** The keys the service declares or has values for. */
  readonly knownKeys: readonly string[]
  /** From its start to its end, or to the end of our patience. */
  readonly livedMs: number
}

type Rule = (evidence: Evidence, context: DiagnosisContext) => Diagnosis | undefined

/** Told by how it ended or what it printed: the first that applies, the surest first. */
const rulesOfTheEnd: readonly Rule[] = [
  outOfMemory,
  notExecutable,
  portInUse,
  panicked,
  unknownFlag,
  permission,
  missingFile,
  missingValue,
  needsArguments,
  killed,
  exited,
]

/** Told by what it does instead of answering. What it complains of comes before what follows from it. */
const rulesOfTheLiving: readonly Rule[] = [
  portInUse,
  elsewhere,
  stranger,
  badAnswer,
  onlyWhereNothingListens(permission),
  onlyWhereNothingListens(missingFile),
  onlyWhereNothingListens(missingValue),
  nothingListens,
  slow,
]

/** What became of a start, why, and what to do. Total: any evidence has a diagnosis, `unknown` at worst. */
export function diagnose(evidence: Evidence, context: DiagnosisContext): Diagnosis {
  for (const rule of evidence.exit === undefined ? rulesOfTheLiving : rulesOfTheEnd) {
    const diagnosis = rule(evidence, context)
    if (diagnosis !== undefined) return diagnosis
  }
  return {
    cause: 'unknown',
    what: `was not healthy within ${seconds(context.livedMs)}`,
    hint: `Look at \`fairway logs ${context.service}\`; a longer start is allowed with \`probe: { deadline: 2m }\`.`,
  }
}

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

function portInUse({ lines, exit, expected, listening }: Evidence, context: DiagnosisContext): Diagnosis | undefined {
  const found = findPortInUse(lines)
  if (found === undefined || (exit === undefined && serves(listening, expected))) return undefined
  const { address } = found
  const asTold = address === undefined || expected === undefined || portOf(address) === portOf(expected)
  return {
    cause: 'port-in-use',
    what: asTold
      ? `could not listen${address === undefined ? '' : ` on ${address}`}: the port is in use`
      : `wants to listen on ${address}, which is in use, and not on ${expected}, as it was told`,
    hint: asTold
      ? 'Another program has taken the port since; the next start gets another one. Does it listen twice on the same port?'
      : listenHint(lines, context),
  }
}

function panicked({ lines, exit }: Evidence, { livedMs }: DiagnosisContext): Diagnosis | undefined {
  const panic = findPanic(lines)
  if (panic === undefined || (exit?.kind === 'exit' && exit.code === 0)) return undefined
  const [top] = panic.frames
  return {
    cause: 'panic',
    what: `panicked ${after(livedMs)}: ${panic.message}${panic.frames.length === 0 ? '' : `, in ${panic.frames.join(' ← ')}`}`,
    hint: top === undefined ? 'The trace is among its last lines.' : `Look at ${top}; the whole trace is in the logs.`,
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

function permission({ lines }: Evidence, context: DiagnosisContext): Diagnosis | undefined {
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

function missingFile({ lines }: Evidence, { service }: DiagnosisContext): Diagnosis | undefined {
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

function missingValue({ lines }: Evidence, { knownKeys }: DiagnosisContext): Diagnosis | undefined {
  const name = findMissingValue(lines, knownKeys)
  if (name === undefined) return undefined
  if (/^[A-Z][A-Z0-9_]*$/.test(name)) {
    return {
      cause: 'missing-value',
      what: `needs ${name}, which has no value`,
      hint: `Write ${name}=… into .env.ENV, or \`fairway secret set ${name}\`; and declare it, so that it is checked before the start: \`config: { ${name}: { required: true } }\`.`,
    }
  }
  const flag = name.startsWith('-') ? name : `--${name}`
  return {
    cause: 'missing-value',
    what: `needs ${flag}, which was not given`,
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

function stranger({ answers, expected }: Evidence): Diagnosis | undefined {
  if (answers.at(-1)?.kind !== 'stranger') return undefined
  return {
    cause: 'port-in-use',
    what: `does not listen on ${expected ?? 'its address'}: another program answers there`,
    hint: 'Another program has taken the port since (`ss -ltnp` names it); the next start gets another one.',
  }
}

function badAnswer({ answers }: Evidence, { probe }: DiagnosisContext): Diagnosis | undefined {
  const answer = answers.at(-1)
  if (answer?.kind === 'exec') return badCommand(answer)
  if (answer?.kind === 'closed') return badConnection(answer.detail, probe)
  if (answer?.kind !== 'status') return undefined
  const path = probe.target.kind === 'http' ? probe.target.path : '/'
  const { status, location, body } = answer
  const what = `answers GET ${path} with ${status}`
  if (status >= 300 && status < 400) {
    const elsewhere = location?.startsWith('/') === true ? location : undefined
    return {
      cause: 'probe-redirect',
      what: `${what}${location === undefined ? '' : `, a redirect to ${location}`}`,
      hint: `Probe a path that answers 2xx itself: \`probe: { http: ${elsewhere ?? '/healthz'} }\`. A redirect to https is for the public side: let the health path through.`,
    }
  }
  if (status === 401 || status === 403) {
    return {
      cause: 'probe-unauthorized',
      what: `${what}: it wants credentials`,
      hint: 'Probe a path that needs none, `probe: { http: /healthz }`, or let the health path pass.',
    }
  }
  if (status === 404 || status === 405 || status === 410) {
    return {
      cause: 'probe-not-found',
      what: `${what}: there is no such path`,
      hint: 'Name one that answers 2xx, `probe: { http: / }`; or ask only for a connection, `probe: { tcp: true }`.',
    }
  }
  return {
    cause: 'probe-error',
    what: `${what}${body === '' ? '' : `: ${body}`}`,
    hint:
      status >= 500
        ? 'It runs and says that it is not well: its last lines, or the answer, say what it lacks (a database, a migration?).'
        : 'Name a path that answers 2xx: `probe: { http: /healthz }`.',
  }
}

function badCommand({ exitCode, output }: Extract<ProbeAnswer, { kind: 'exec' }>): Diagnosis {
  const said = output === '' ? '' : `: ${output}`
  return {
    cause: 'probe-error',
    what:
      exitCode === null
        ? `the probe's command could not run${said}`
        : `the probe's command exits with ${exitCode}${said}`,
    hint: 'It runs in the artifact’s folder with the instance’s values, and 0 is healthy: try it with `fairway run`.',
  }
}

function badConnection(detail: string, { target }: ProbeSpecification): Diagnosis {
  const foreign = /parse error|expected http/i.test(detail)
  return {
    cause: 'probe-error',
    what: foreign ? `does not speak HTTP/1.1: ${detail}` : `takes the connection, and breaks it off: ${detail}`,
    hint:
      target.kind === 'http'
        ? 'If it speaks gRPC, TLS or a protocol of its own there: `probe: { tcp: true }`.'
        : 'Its last lines may say why.',
  }
}

function elsewhere({ listening, expected, lines }: Evidence, context: DiagnosisContext): Diagnosis | undefined {
  if (expected === undefined || listening.length === 0 || serves(listening, expected)) return undefined
  const samePort = listening.some((address) => portOf(address) === portOf(expected))
  return {
    cause: samePort ? 'wrong-address' : 'wrong-port',
    what: `listens on ${listening.join(' and ')}, not on ${expected}`,
    hint: samePort
      ? `It has to be reachable at ${expected}: let it listen there or on every address. ${listenHint(lines, context)}`
      : listenHint(lines, context),
  }
}

function nothingListens(
  { listening, expected, lines }: Evidence,
  { livedMs }: DiagnosisContext,
): Diagnosis | undefined {
  if (expected === undefined || listening.length > 0) return undefined
  const words = lastWords(lines)
  return {
    cause: 'nothing-listens',
    what: `runs, but listens on nothing after ${seconds(livedMs)}${words === undefined ? '' : `; its last words: ${words}`}`,
    hint: 'Does it wait for something (a database, a lock)? Is it slow to start: `probe: { deadline: 2m }`? Is it a worker: `listen: none`?',
  }
}

function slow({ answers }: Evidence, { probe, livedMs }: DiagnosisContext): Diagnosis | undefined {
  const answer = answers.at(-1)
  if (answer === undefined) return undefined
  if (answer.kind === 'timeout') {
    return {
      cause: 'probe-slow',
      what: `the probe got ${answer.detail}`,
      hint: `A health path should look at nothing slow; or allow it more: \`probe: { timeout: ${Math.ceil((probe.timeoutMs * 5) / 1000)}s }\`.`,
    }
  }
  const why =
    answer.kind === 'good'
      ? `answered well, but not for ${seconds(probe.healthyForMs)} on end`
      : 'began to listen too late to be asked'
  return {
    cause: 'probe-slow',
    what: `${why}, within ${seconds(livedMs)}`,
    hint: `If it is merely slow to start, allow it more: \`probe: { deadline: ${Math.ceil((probe.deadlineMs * 2) / 1000)}s }\`.`,
  }
}

function onlyWhereNothingListens(rule: Rule): Rule {
  return (evidence, context) =>
    evidence.expected !== undefined && evidence.listening.length === 0 ? rule(evidence, context) : undefined
}

/** The line of fairway.yaml that tells this program its port. */
function listenHint(lines: readonly string[], { listen }: DiagnosisContext): string {
  const told = listen.kind === 'env' ? listen.name : ''
  const { flag, variable } = findListenSetting(lines, told)
  if (flag !== undefined && !(listen.kind === 'arg' && listen.template.includes(flag))) {
    return `It speaks of ${flag}: \`${listenArg(flag)}\` in fairway.yaml.`
  }
  if (variable !== undefined) return `It speaks of ${variable}: \`listen: { env: ${variable} }\` in fairway.yaml.`
  const obeys = told === '' ? 'what it was told' : told
  return `It does not obey ${obeys}. Has it a flag, \`listen: { arg: '--port={{port}}' }\`, or a variable of another name, \`listen: { env: NAME }\`? Its \`-help\` says.`
}

function listenArg(flag: string): string {
  const value = /port/i.test(flag) && !/addr/i.test(flag) ? '{{port}}' : '{{host}}:{{port}}'
  return `listen: { arg: '${flag}=${value}' }`
}

function serves(listening: readonly string[], expected: string | undefined): boolean {
  const wanted = expected === undefined ? undefined : parseAddress(expected)
  if (wanted === undefined) return false
  return reaches(
    listening.flatMap((text) => parseAddress(text) ?? []),
    wanted,
  )
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1)
}

function lastWords(lines: readonly string[]): string | undefined {
  return lines
    .findLast((line) => line.trim() !== '')
    ?.trim()
    .slice(0, 200)
}

function describeExit(exit: ExitStatus): string {
  switch (exit.kind) {
    case 'exit':
      return `exited with status ${exit.code}`
    case 'signal':
      return `was ended by ${exit.signal}`
    case 'out-of-memory':
      return 'was killed for its memory'
    case 'unknown':
      return 'ended, nobody saw how,'
  }
}

function after(livedMs: number): string {
  return livedMs < 2000 ? 'at once' : `after ${seconds(livedMs)}`
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`
}
