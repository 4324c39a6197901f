export * from './gateway.ts'
export { openHaproxyGateway } from './haproxy/open.ts'
export type { HaproxyGatewayOptions } from './haproxy/open.ts'
