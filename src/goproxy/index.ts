export { openModuleProxy, type ModuleProxy, withoutOwn } from './open.ts'
export { pinnedModules } from './pins.ts'
