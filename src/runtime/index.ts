export * from './runtime.ts'
export { parseListeningSockets, reaches } from './sockets.ts'
export { openProcessRuntime, type ProcessRuntimeOptions } from './drivers/process/open.ts'
/** What `fairway doctor` looks at before there is a runtime. */
export { probeCgroups } from './drivers/process/cgroup.ts'
export { blockedFolder } from './drivers/process/executable.ts'
