export * from './scope.ts'
export * from './specification.ts'
