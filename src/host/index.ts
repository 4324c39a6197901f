export * from './host.ts'
export { choosePort } from './choose-port.ts'
