export const part = { name: 'proxy', what: '', measure: async () => [] }
