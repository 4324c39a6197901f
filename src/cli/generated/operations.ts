export const operationTable = {} as any
