export { openModuleProxy, type ModuleProxy } from './open.ts'
export { pinnedModules } from './pins.ts'
export { machineVariables } from './variables.ts'
