export * from './host.ts'
export { choosePort } from './choose-port.ts'
export { type NetworkAbility, probeNetworks } from './network/ability.ts'
export { InstanceNetworks } from './network/instance-networks.ts'
