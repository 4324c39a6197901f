export * from './gateway.ts'
export { openHaproxyGateway } from './haproxy/open.ts'
/** What `fairway doctor` looks at before there is a gateway. */
export { gatewayFiles } from './haproxy/files.ts'
export { refuseTakenBinds } from './haproxy/binds.ts'
export { portHolder, probePort } from './haproxy/ports.ts'
export { requireHaproxy } from './haproxy/process.ts'
