export * from './gateway.ts'
export { openHaproxyGateway } from './haproxy/controller.ts'
export type { HaproxyGatewayOptions } from './haproxy/controller.ts'
