export const part = { name: 'rollback', what: '', measure: async () => [] }
