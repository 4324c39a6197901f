import { expect, test } from 'vitest'
import { parseProjectFile } from './project-file.ts'
import { serviceSpecificationSchema } from './specification-schema.ts'
import { specify } from './specify.ts'

test('whatever a project comes to passes the API unchanged', () => {
  const text = `
services:
  web: { args: [a], probe: { exec: [./web, check] }, limits: { memory: 1Gi, cpu: 2 }, user: "1:2", before: [./web, migrate], strategy: { rolling: { batch: all } } }
  api: { listen: { arg: "-p={{port}}" }, probe: { http: /up }, needs: [web], data: true }
  job: { listen: none }
`
  const { services } = specify(parseProjectFile(text).file, { project: 'shop', environment: 'dev', names: [] })
  expect(services).toHaveLength(3)
  for (const { service, run, desired, needs } of services) {
    const values = {
      A: { value: '1', secret: false, asFile: true },
      B: { storedVersion: 3, secret: true as const, asFile: false },
    }
    const specification = { service, run, desired, needs, values }
    expect(serviceSpecificationSchema.parse(JSON.parse(JSON.stringify(specification)))).toEqual(specification)
    expect(serviceSpecificationSchema.safeParse({ ...specification, service: '../x' }).success).toBe(false)
    expect(serviceSpecificationSchema.safeParse({ ...specification, surprise: 1 }).success).toBe(false)
  }
})
