import { expect, test } from 'vitest'
import { findHealthPath, rankPorts } from './judge-ports.ts'
import type { HttpAnswer, PortAnswer } from './observation.ts'

const page = (status: number, digest: string, more: Partial<HttpAnswer> = {}): HttpAnswer => ({
  status,
  digest,
  type: 'text/html',
  isMetrics: false,
  ...more,
})
const none = page(404, 'none')

test.for<[string, NonNullable<PortAnswer['http']>, string | undefined]>([
  [
    'answers otherwise than a random path',
    { random: [none, none], paths: { '/healthz': page(200, 'ok') } },
    '/healthz',
  ],
  ['is not well', { random: [none, none], paths: { '/healthz': page(503, 'no') } }, undefined],
  [
    'is a page like any other',
    { random: [page(200, 'x'), page(200, 'x')], paths: { '/healthz': page(200, 'x') } },
    undefined,
  ],
  [
    'differs from the page for anything',
    { random: [page(200, 'x'), page(200, 'x')], paths: { '/healthz': page(200, 'ok') } },
    '/healthz',
  ],
  [
    'differs as all pages do',
    { random: [page(200, 'x'), page(200, 'y')], paths: { '/healthz': page(200, 'ok') } },
    undefined,
  ],
  ['is not there, but a home page', { random: [none, none], paths: { '/': page(200, 'home'), '/healthz': none } }, '/'],
  [
    'is preferred to a lesser one',
    { random: [none, none], paths: { '/ping': page(200, 'p'), '/health': page(200, 'h') } },
    '/health',
  ],
])('a health path that %s', ([, http, expected]) => {
  expect(findHealthPath(http)).toBe(expected)
})

test('pages come before metrics, HTTP before gRPC, that before anything else', () => {
  const address = (port: number) => ({ host: '0.0.0.0', port })
  const ports: PortAnswer[] = [
    { address: address(1), tls: false },
    { address: address(2), tls: true },
    { address: address(3), tls: false, grpc: 'serving' },
    {
      address: address(4),
      tls: false,
      http: { random: [none, none], paths: { '/': none, '/metrics': page(200, 'm', { isMetrics: true }) } },
    },
    { address: address(5), tls: false, http: { random: [none, none], paths: { '/': page(200, 'home') } } },
    { address: address(6), tls: false, http: { random: [none, none], paths: { '/': none } } },
  ]
  expect(rankPorts(ports).map(({ port }) => port)).toEqual([5, 6, 3, 4, 2, 1])
})
