export const part = { name: 'up', what: '', measure: async () => [] }
