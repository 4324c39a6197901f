import { isAbsolute, join, resolve } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { type BindAddress, parseBind } from './address.ts'
import type { HomeConfig } from './home-config.ts'
import { readInputFile } from './input-file.ts'

type ProcessEnvironment = Readonly<Record<string, string | undefined>>

/** Where config.yaml says nothing. */
export const homeDefaults: HomeConfig = {
  api: { host: '127.0.0.1', port: 8470 },
  gateway: { host: '127.0.0.1', port: 8480 },
  ports: { first: 20_000, last: 29_999 }, // below the ephemeral range
  modules: { private: [], deny: [], allow: [], quota: 20 * 2 ** 30, offline: false },
}

/**
 * Everything Fairway keeps lies under one folder: --home, else FAIRWAY_HOME, else /var/lib/fairway for root and the XDG
 * data folder for anybody else.
 * @throws FairwayError HOME_UNUSABLE when no folder can be named
 */
export function homeFolder({
  flag,
  environment,
  uid,
  cwd,
}: {
  flag?: string | undefined
  environment: ProcessEnvironment
  uid: number
  cwd: string
}): string {
  const asked = flag ?? environment['FAIRWAY_HOME']
  if (asked !== undefined && asked !== '') return resolve(cwd, asked)
  if (uid === 0) return '/var/lib/fairway'
  const { XDG_DATA_HOME = '', HOME = '' } = environment
  if (isAbsolute(XDG_DATA_HOME)) return join(XDG_DATA_HOME, 'fairway') // a relative one is to be ignored, says the standard
  if (isAbsolute(HOME)) return join(HOME, '.local/share/fairway')
  throw new FairwayError('HOME_UNUSABLE', 'No home folder: neither HOME nor XDG_DATA_HOME names one', {
    hint: 'Say where Fairway may keep its state: --home DIR or FAIRWAY_HOME.',
  })
}

/** @throws FairwayError HOME_CONFIG_INVALID with file, line and what was expected */
export async function readHomeConfig(home: string, environment: ProcessEnvironment): Promise<HomeConfig> {
  const name = join(home, 'config.yaml')
  const content = await readInputFile(name, { code: 'HOME_CONFIG_INVALID', name })
  // zod and yaml cost a plain command more than all the rest: loaded only where there is something to parse.
  const written = content === undefined ? {} : (await import('./home-file.ts')).parseHomeFile(content.text, name)
  const config = { ...homeDefaults, ...written }
  return {
    ...config,
    api: override('FAIRWAY_API', environment) ?? config.api,
    gateway: override('FAIRWAY_GATEWAY', environment) ?? config.gateway,
  }
}

function override(variable: string, environment: ProcessEnvironment): BindAddress | undefined {
  const text = environment[variable]
  if (text === undefined || text === '') return undefined
  const address = parseBind(text)
  if (address !== undefined) return address
  throw new FairwayError(
    'HOME_CONFIG_INVALID',
    `${variable}: expected an address like 127.0.0.1:${variable === 'FAIRWAY_API' ? homeDefaults.api.port : homeDefaults.gateway.port}, found ${JSON.stringify(text)}`,
    { hint: 'An IP address or a name and a port; port 0 = any that is free.' },
  )
}
