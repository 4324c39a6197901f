import { z } from 'zod'
import { FairwayError } from '../base/error.ts'
import { parseBind } from './address.ts'
import { isWithin, parseAddressRange, privateBlocks } from './address-range.ts'
import { describeIssues } from './describe-issue.ts'
import { homeDefaults } from './home.ts'
import type { HomeConfig } from './home-config.ts'
import { parseSize, sizeRule } from './measure.ts'
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

const proxyRule = 'a list of module proxies like `https://modules.example.com,direct`, as GOPROXY has it'
const patternRule = 'a glob of module paths like `git.example.com/team/*`'
const pattern = z.string(expected(patternRule)).regex(/^[^\s,/][^\s,]*$/, expected(patternRule))
const repositoryRule = 'where git finds it, like `ssh://git@{host}/{path}.git`'
const privateModules = z.union(
  [
    pattern.transform((match) => ({ match, repository: 'https://{root}' })),
    z.strictObject({
      match: pattern,
      // No option of git, and no password: those stand in files that this one names.
      repository: z
        .string(expected(repositoryRule))
        .regex(/^(?:(?:https?|ssh|file|git):\/\/|[\w.-]+@[\w.-]+:)[^\s]+$/, expected(repositoryRule))
        .refine((url) => !/^\w+:\/\/[^/@]*:[^/@]*@/.test(url), 'a password does not belong here: use `tokenFile`'),
      tokenFile: z.string().startsWith('/', expected('an absolute path')).optional(),
    }),
  ],
  expected(`${patternRule}, or { match: …, repository: …, tokenFile: … }`),
)
const quota = z.string(expected(sizeRule)).transform((text, context) => {
  const bytes = parseSize(text)
  if (bytes === undefined) context.addIssue(`expected ${sizeRule}`)
  return bytes ?? 0
})
const modules = z.strictObject({
  proxy: z
    .string(expected(proxyRule))
    .regex(/^[^\s,|]+(?:[,|][^\s,|]+)*$/, expected(proxyRule))
    .optional(),
  private: z.array(privateModules).optional(),
  deny: z.array(pattern).optional(),
  allow: z.array(pattern).optional(),
  quota: quota.optional(),
  offline: z.boolean(expected('true or false')).optional(),
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
    const { api, gateway, ports, modules = {}, network } = parsed.data
    return {
      ...(api === undefined ? {} : { api }),
      ...(gateway === undefined ? {} : { gateway }),
      ...(ports === undefined ? {} : { ports }),
      modules: {
        proxy: modules.proxy,
        private: modules.private ?? [],
        deny: modules.deny ?? [],
        allow: modules.allow ?? [],
        quota: modules.quota ?? homeDefaults.modules.quota,
        offline: modules.offline ?? false,
      },
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
