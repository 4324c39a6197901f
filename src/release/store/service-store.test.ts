import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { acquireLease, leaseMigrations } from '../../base/lease.ts'
import { openDatabase } from '../../base/store/database.ts'
import { migrate } from '../../base/store/migrate.ts'
import { releaseMigrations } from './schema.ts'
import { firstUidOf, ServiceStore } from './service-store.ts'

const desired = { instances: 1, strategy: { kind: 'recreate' }, keepWarmMs: 0, drainMs: 0 } as const

test('homes of one machine do not give their services each other’s users', () => {
  const firsts = Array.from({ length: 200 }, () => firstUidOf(randomUUID()))
  expect(new Set(firsts).size).toBeGreaterThan(195)
  for (const first of firsts) {
    expect(first % 1000).toBe(0)
    expect(first).toBeGreaterThanOrEqual(2_001_000_000)
    expect(first).toBeLessThan(2_147_000_000)
  }
})

test('each service has a user of its own, which stays its own', async () => {
  const database = openDatabase(':memory:')
  try {
    await migrate(database, [...leaseMigrations, ...releaseMigrations], { now: 0 })
    const self = { pid: 100, startTicks: 5, bootId: 'boot' }
    const isAlive = () => Promise.resolve(true)
    const lease = await acquireLease('control-plane', 60_000, { database, clock: systemClock, self, isAlive })
    const services = new ServiceStore(database, lease)
    const allot = async (service: string, from: number, taken: readonly number[] = []) => {
      const scope = { project: 'shop', environment: 'dev', service }
      if ((await services.find(scope)) === undefined) {
        await services.save(scope, { desired, declaredInstances: 1, needs: [], check: null })
      }
      return services.allotUid(scope, from, (uid) => taken.includes(uid))
    }
    expect(await allot('web', 2_001_000_000, [2_001_000_000])).toBe(2_001_000_001)
    expect(await allot('api', 2_001_000_000)).toBe(2_001_000_000)
    expect(await allot('worker', 2_001_000_000)).toBe(2_001_000_002)
    expect(await allot('web', 2_005_000_000)).toBe(2_001_000_001)
    expect(await allot('last', 2_146_999_999)).toBe(2_146_999_999)
    expect(await allot('over', 2_146_999_999)).toBe(2_001_000_003)
  } finally {
    await database.destroy()
  }
})
