import { z } from 'zod'
import { FairwayError } from '../base/error.ts'
import { parseBind } from './address.ts'
import { isWithin, parseAddressRange, privateBlocks } from './address-range.ts'
import { describeIssues } from './describe-issue.ts'
import type { HomeConfig } from './home-config.ts'
import { configInvalid } from './project-file.ts'
import { YamlSource } from './yaml-source.ts'

const expected = (rule: string) => ({ error: `expected ${rule}` })
const addressRule = 'an address like `127.0.0.1:8470`; port 0 = any that is free'
const address = z.string(expected(addressRule)).transform((text, context) => {
  const parsed = parseBind(text)
  if (parsed === undefined) context.addIssue(`expected ${addressRule}`)
  return parsed ?? { host: '', port: 0 }
})

const portsRule = 'a range of at least 10 ports like `20000-29999`'
const ports = z.string(expected(portsRule)).transform((text, context) => {
  const [, first = 0, last = 0] = /^([0-9]{1,5})\s*-\s*([0-9]{1,5})$/.exec(text)?.map(Number) ?? []
  if (first < 1 || last > 65_535 || last - first < 9) context.addIssue(`expected ${portsRule}`)
  return { first, last }
})

const proxyRule = 'a list of module proxies like `https://proxy.example.com,direct`, as GOPROXY has it'
const modules = z.strictObject({
  proxy: z
    .string(expected(proxyRule))
    .regex(/^[^\s,|]+(?:[,|][^\s,|]+)*$/, expected(proxyRule))
    .optional(),
})

const networkRule = 'a range of private addresses from /16 to /28 like `10.83.16.0/20`'
const network = z.string(expected(networkRule)).transform((text, context) => {
  const range = parseAddressRange(text)
  const isPrivate = range !== undefined && privateBlocks.some((block) => isWithin(range, block))
  if (range !== undefined && isPrivate && range.bits >= 16 && range.bits <= 28) return range
  context.addIssue(`expected ${networkRule}`)
  return { first: 0, bits: 32 }
})

const homeFileSchema = z
  .strictObject({
    api: address.optional(),
    gateway: address.optional(),
    ports: ports.optional(),
    modules: modules.optional(),
    network: network.optional(),
  })
  .nullable()
  .transform((file) => file ?? {})

/** @throws FairwayError HOME_CONFIG_INVALID with every finding and its place */
export function parseHomeFile(text: string, name: string): Partial<HomeConfig> {
  const source = new YamlSource(text)
  const parsed = homeFileSchema.safeParse(source.value ?? null)
  if (parsed.success && source.findings.length === 0) {
    const { api, gateway, ports, modules: named, network } = parsed.data
    return {
      ...(api === undefined ? {} : { api }),
      ...(gateway === undefined ? {} : { gateway }),
      ...(ports === undefined ? {} : { ports }),
      ...(named?.proxy === undefined ? {} : { modules: { proxy: named.proxy } }),
      ...(network === undefined ? {} : { network }),
    }
  }
  const findings =
    source.findings.length > 0
      ? source.findings
      : describeIssues(parsed.error?.issues ?? [], source, z.toJSONSchema(homeFileSchema, { io: 'input' }))
  const { message, details } = configInvalid(findings, name)
  throw new FairwayError('HOME_CONFIG_INVALID', message, { details })
}
