import { join } from 'node:path'
import { exec } from '../base/exec.ts'
import { FairwayError } from '../base/error.ts'
import { readText } from '../base/read-file.ts'
import type { BuildFinding } from './compiler-output.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

const signs =
  /could not read Username|terminal prompts disabled|Permission denied \(publickey|Authentication failed|Repository not found|(?:^|\D)40[134] |: (?:401|403|404|410)\b|Host key verification failed|unrecognized import path/i

/** The module that could not be read, where its words look like a repository that is not for everybody. */
export function findPrivateModule(findings: readonly BuildFinding[]): string | undefined {
  const text = findings.map(({ message }) => message).join('\n')
  if (!signs.test(text)) return undefined
  return /([a-z0-9.-]+\.[a-z]{2,}\/[^\s@:'"]+)@v[0-9][^\s:]*/.exec(text)?.[1]
}

/** What go lacks to read it, each of the ways looked at. */
export async function explainPrivateModule({
  findings,
  toolchain,
  environment,
}: {
  findings: readonly BuildFinding[]
  toolchain: Toolchain
  environment: ProcessEnvironment
}): Promise<{ hint: string; details: string[] } | undefined> {
  const module = findPrivateModule(findings)
  if (module === undefined) return undefined
  const host = module.split('/')[0] ?? module
  const [patterns = '', auth = ''] = (await toolchain.run(['env', 'GOPRIVATE', 'GOAUTH'], { cwd: '/' })).stdout.split(
    '\n',
  )
  const isPrivate = isCovered(module, patterns)
  const hasNetrc = await namesHost(environment, host)
  const rewrites = await gitRewrites(environment, host)
  const details = [
    isPrivate
      ? `GOPRIVATE covers ${module}: it is read straight from its repository`
      : `GOPRIVATE does not cover ${module}${patterns === '' ? ' (it is empty)' : ` (it is ${patterns})`}: go asked a module proxy and the checksum database, which know public modules alone`,
    hasNetrc ? `.netrc has a line for ${host}` : `.netrc has no line for ${host}`,
    rewrites ? `git has a url.….insteadOf for ${host}` : `git has no url.….insteadOf for ${host}`,
    ...(auth === '' || auth === 'netrc' ? [] : [`GOAUTH is ${auth.split(' ')[0]}`]),
  ]
  const group = module.split('/').slice(0, 2).join('/')
  const steps = [
    ...(isPrivate ? [] : [`go env -w GOPRIVATE=${group}/*`]),
    ...(hasNetrc || rewrites
      ? [`check that the credentials for ${host} may read it: git ls-remote https://${module}`]
      : [
          `a line in ~/.netrc: machine ${host} login USER password TOKEN; or by SSH: git config --global url."ssh://git@${host}/".insteadOf https://${host}/; or GOAUTH (go help goauth)`,
        ]),
  ]
  return { hint: `If ${module} is private: ${steps.join('; then ')}`, details }
}

/** @see path.Match over the first elements, as cmd/go does for GOPRIVATE */
export function isCovered(module: string, patterns: string): boolean {
  const parts = module.split('/')
  return patterns.split(',').some((pattern) => {
    const words = pattern.trim().replace(/\/+$/, '').split('/')
    if (words[0] === '' || words.length > parts.length) return false
    return words.every((word, index) => {
      const shape = word
        .replaceAll(/[.+^${}()|\\]/g, '\\$&')
        .replaceAll('*', '[^/]*')
        .replaceAll('?', '[^/]')
      try {
        return new RegExp(`^${shape}$`).test(parts[index] ?? '')
      } catch {
        return false // a bracket that never ends: go takes it for no pattern either
      }
    })
  })
}

async function namesHost({ HOME = '', NETRC }: ProcessEnvironment, host: string): Promise<boolean> {
  const text = await readText(NETRC ?? join(HOME, '.netrc')).catch(() => '')
  return text.split(/\s+/).some((word, index, words) => word === 'machine' && words[index + 1] === host)
}

async function gitRewrites(environment: ProcessEnvironment, host: string): Promise<boolean> {
  const { PATH = '', HOME = '', GIT_CONFIG_GLOBAL } = environment
  const own = GIT_CONFIG_GLOBAL === undefined ? {} : { GIT_CONFIG_GLOBAL }
  try {
    const { stdout } = await exec(['git', 'config', '--get-regexp', String.raw`^url\..*\.insteadof$`], {
      cwd: '/',
      env: { PATH, HOME, ...own },
      deadlineMs: 5000,
    })
    return stdout.includes(host)
  } catch (error) {
    if (error instanceof FairwayError) return false // no git
    throw error
  }
}
