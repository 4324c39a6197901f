export const part = { name: 'loss', what: '', measure: async () => [] }
