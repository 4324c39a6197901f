import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { gatewayFiles } from './files.ts'
import { renderConfig } from './config.ts'
import { timeouts } from './timeouts.ts'

test('every time-out stands in the configuration and, in the same order, in the operators’ page', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/gateway.md'), 'utf8')
  const table = page.slice(page.indexOf('## Time-outs'), page.indexOf('## Repeats'))
  const told = [...table.matchAll(/\| (\d+) s \|/g)].map(([, seconds]) => Number(seconds) * 1000)
  expect(told).toEqual(Object.values(timeouts))
  const { text } = renderConfig({ binds: [], services: [] }, gatewayFiles('/srv/gateway'), { threads: 1, maxconn: 100 })
  for (const ms of Object.values(timeouts)) expect(text).toMatch(new RegExp(` ${ms}ms$`, 'm'))
})
