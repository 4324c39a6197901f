export * from './runtime.ts'
export { reaches } from './sockets.ts'
export { openProcessRuntime, type ProcessRuntimeOptions } from './drivers/process/open.ts'
