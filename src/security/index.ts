export { Keyring, openKeyring } from './keyring.ts'
export { secretMigrations, type SecretScope, SecretStore, type SecretSummary } from './store.ts'
export { type SecretContext, secretOperations } from './operations.ts'
