export const part = { name: 'restart', what: '', measure: async () => [] }
