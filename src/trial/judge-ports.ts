import type { Protocol } from '../config/index.ts'
import type { Findings } from './findings.ts'
import { healthPaths, type HttpAnswer, type PortAnswer } from './observation.ts'

/** One port, and what it is good for. */
export interface JudgedPort {
  readonly port: number
  readonly protocol: Protocol
  readonly probe: Findings['probe']
  /** The highest is the one to route. */
  readonly score: number
  readonly why: string
}

const isGood = ({ status }: HttpAnswer) => status >= 200 && status < 300

/** HTTP over gRPC over anything else; pages for people over metrics and profiles. */
export function judgePort({ address, http, tls, grpc }: PortAnswer): JudgedPort {
  const { port } = address
  if (http !== undefined && !tls) {
    const health = findHealthPath(http)
    const [random] = http.random
    const root = http.paths['/'] ?? random
    const isHome = isGood(root) || (root.status >= 300 && root.status < 404)
    const metrics = http.paths['/metrics']
    const isForMachines = !isHome && (metrics?.isMetrics === true || isPprof(http.paths['/debug/pprof/']))
    const score = 100 + (isHome ? 30 : 0) + (health === undefined ? 0 : 20) - (isForMachines ? 60 : 0)
    const answers = isForMachines ? 'for metrics or profiles' : `GET / answers ${root.status}`
    return {
      port,
      protocol: 'http',
      probe: health === undefined ? { kind: 'tcp' } : { kind: 'http', path: health },
      score,
      why: `${port} speaks HTTP (${answers})`,
    }
  }
  if (grpc !== undefined) {
    const probe = grpc === 'serving' ? ({ kind: 'grpc' } as const) : ({ kind: 'tcp' } as const)
    const health = grpc === 'serving' ? 'its health check answers SERVING' : 'it has no health check that answers'
    return { port, protocol: 'grpc', probe, score: grpc === 'http2' ? 55 : 60, why: `${port} speaks gRPC (${health})` }
  }
  const what = tls ? 'wants TLS, which the gateway does not speak to it' : 'speaks neither HTTP nor gRPC'
  return { port, protocol: 'tcp', probe: { kind: 'tcp' }, score: tls ? 20 : 10, why: `${port} ${what}` }
}

function isPprof(answer: HttpAnswer | undefined): boolean {
  return answer !== undefined && isGood(answer)
}

/** The best first; of equals the lower number. */
export function rankPorts(ports: readonly PortAnswer[]): JudgedPort[] {
  return ports.map(judgePort).toSorted((a, b) => b.score - a.score || a.port - b.port)
}

/**
 * One that answers 2xx while a random path answers otherwise: another status, or, where both random paths answer the very
 * same page (a front-end that answers anything), another page.
 */
export function findHealthPath({ random, paths }: NonNullable<PortAnswer['http']>): string | undefined {
  const [one, other] = random
  const anyPathIsGood = isGood(one) || isGood(other)
  const isSteady = one.status === other.status && one.digest === other.digest && one.type === other.type
  const answersOtherwise = (answer: HttpAnswer) =>
    isGood(answer) && (!anyPathIsGood || (isSteady && (answer.digest !== one.digest || answer.type !== one.type)))
  const known = healthPaths.find((path) => {
    const answer = paths[path]
    return answer !== undefined && answersOtherwise(answer)
  })
  if (known !== undefined) return known
  const root = paths['/']
  // A home page may well differ from the page for whatever is not there, and say nothing of health.
  return root !== undefined && isGood(root) && !anyPathIsGood ? '/' : undefined
}
