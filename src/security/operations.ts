import { z } from 'zod'
import { defineOperation, type OperationContext } from '../base/operation.ts'
import { Secret } from '../base/secret.ts'
import { keyPattern, keyRule, namePattern, nameRule } from '../config/index.ts'
import type { SecretStore } from './store.ts'

export interface SecretContext {
  readonly secrets: SecretStore
  readonly now: () => number
}
type Context = SecretContext & OperationContext

const name = z.string().regex(namePattern, nameRule)
const scope = z.object({ project: name, environment: name })
const key = z.string().regex(keyPattern, keyRule)

const secretSet = defineOperation({
  name: 'secret-set',
  summary: 'Set a secret; its value comes from stdin',
  kind: 'change',
  input: scope.extend({ key, value: z.string().min(1) }),
  async run({ project, environment, key: named, value }, { secrets, now, who }: Context) {
    const version = await secrets.set({ project, environment }, named, new Secret(value), { who, now: now() })
    return { outcome: 'done', data: { key: named, version } }
  },
})

const secretList = defineOperation({
  name: 'secret-list',
  summary: 'The secrets that are set, by key and version; never a value',
  kind: 'read',
  input: scope,
  async run({ project, environment }, { secrets }: Context) {
    return { outcome: 'done', data: { secrets: await secrets.list({ project, environment }) } }
  },
})

const secretRemove = defineOperation({
  name: 'secret-remove',
  summary: 'Remove a secret from the next release on',
  kind: 'change',
  input: scope.extend({ key }),
  async run({ project, environment, key: named }, { secrets, now, who }: Context) {
    const existed = await secrets.remove({ project, environment }, named, { who, now: now() })
    return { outcome: existed ? 'done' : 'unchanged', data: { key: named } }
  },
})

export const secretOperations = [secretSet, secretList, secretRemove]
