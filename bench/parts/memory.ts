export const part = { name: 'memory', what: '', measure: async () => [] }
