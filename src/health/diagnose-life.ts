import type { ProbeSpecification } from '../config/index.ts'
import { loopbackRefused, missingFile, missingValue, permission, portInUse } from './diagnose-end.ts'
import {
  type DiagnosisContext,
  fixedPortLine,
  lastWords,
  listenHint,
  portOf,
  type Rule,
  seconds,
  serves,
} from './diagnosis-words.ts'
import type { Diagnosis, Evidence, ProbeAnswer } from './health.ts'

/** Told by what it does instead of answering. What it complains of comes before what follows from it. */
export const rulesOfTheLiving: readonly Rule[] = [
  portInUse,
  elsewhere,
  stranger,
  badAnswer,
  onlyWhereNothingListens(loopbackRefused),
  onlyWhereNothingListens(permission),
  onlyWhereNothingListens(missingFile),
  onlyWhereNothingListens(missingValue),
  nothingListens,
  slow,
]

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
      ? `It has to be reachable at ${expected}: let it listen there or on every address.${context.listen.kind === 'port' ? '' : ` ${listenHint(lines, context)}`}`
      : portHint(listening, lines, context),
  }
}

function portHint(listening: readonly string[], lines: readonly string[], context: DiagnosisContext): string {
  const { listen, ports = [] } = context
  const seen = [...new Set(listening.map((address) => Number(portOf(address))))]
  // What it is known to listen on beside it is not where it answers.
  const fixed = fixedPortLine([...seen.filter((port) => !ports.includes(port)), ...ports], context)
  if (listen.kind === 'port') return `Its port is another one. In fairway.yaml: ${fixed}`
  return `${listenHint(lines, context)} If its port is fixed: ${fixed}`
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
