import { defineConfig } from 'vitest/config'

/** Kinds of tests, apart and runnable alone: `npx vitest run --project unit`. */
const kinds = [
  // Pure: no process, no socket; a property may take a while on a busy machine.
  { name: 'unit', include: ['src/**/*.test.ts', 'test/architecture/**/*.test.ts'], testTimeout: 30_000 },
  // One suite, every driver.
  { name: 'contract', include: ['test/contract/**/*.test.ts'], testTimeout: 60_000 },
  // One real part at a time: HAProxy, Go, SQLite, processes.
  { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 120_000 },
  // The product from outside: launcher, control plane, gateway, instances.
  { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 600_000 },
]

export default defineConfig({
  test: {
    // Two cores carry two files at a time; real servers in each would only wait for one another beyond that.
    maxWorkers: 2,
    projects: kinds.map((kind) => ({ test: { ...kind, hookTimeout: 120_000, pool: 'forks' } })),
  },
})
