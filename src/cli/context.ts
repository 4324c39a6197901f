import { FairwayError } from '../base/error.ts'
import { homeFolder } from '../config/home.ts'
import type { ServerAddress } from './client.ts'

/** Options every command takes. */
export interface GlobalOptions {
  readonly home?: string
  readonly env: string
  readonly project?: string
  readonly json?: boolean
  readonly plain?: boolean
  readonly server?: string
  readonly tokenFile?: string
}

/** What a command may touch: the process’s own streams and environment arrive as arguments. */
export interface CommandContext {
  readonly options: GlobalOptions
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The project's, where the command is about one. */
  readonly folder: string
  readonly home: string
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly stdin: NodeJS.ReadStream
  /** 'ada@laptop' */
  readonly who: string
}

export function homeOf(
  options: Pick<GlobalOptions, 'home'>,
  environment: CommandContext['environment'],
  cwd: string,
): string {
  return homeFolder({ flag: options.home, environment, uid: process.getuid?.() ?? 1, cwd })
}

/** @throws FairwayError HOME_UNUSABLE when the socket's path is longer than the system allows */
export function socketPath(home: string): string {
  const path = `${home}/run/fairway.sock`
  const maxBytes = 107 // sun_path of unix(7), less its closing zero
  if (Buffer.byteLength(path) <= maxBytes) return path
  throw new FairwayError(
    'HOME_UNUSABLE',
    `The home's path is too long: a socket's path has at most ${maxBytes} bytes`,
    {
      hint: `${path} has ${Buffer.byteLength(path)}. Choose a shorter one with --home DIR or FAIRWAY_HOME.`,
    },
  )
}

/**
 * --server or FAIRWAY_SERVER, else this home's own socket.
 * @throws FairwayError USAGE, UNAUTHORIZED without a token for an address
 */
export async function serverAddress(context: CommandContext): Promise<ServerAddress> {
  const { options, environment, home } = context
  const url = options.server ?? environment['FAIRWAY_SERVER']
  if (url === undefined || url === '') return { kind: 'socket', path: socketPath(home) }
  const parsed = /^(https?):\/\/(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::(\d+))?\/?$/i.exec(url)
  if (parsed === null) {
    throw new FairwayError('USAGE', `--server: expected http://HOST:PORT, found ${JSON.stringify(url)}`, {
      hint: '`fairway status --json` on its machine shows the address in force.',
    })
  }
  const [, scheme = 'http', host = '', port] = parsed
  const tls = scheme.toLowerCase() === 'https'
  return {
    kind: 'tcp',
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port ?? (tls ? 443 : 8470)),
    tls,
    token: await readToken(context),
  }
}

async function readToken({ options, environment }: CommandContext): Promise<string> {
  const given = environment['FAIRWAY_TOKEN']
  if (options.tokenFile === undefined && given !== undefined && given !== '') return given.trim()
  if (options.tokenFile === undefined) {
    throw new FairwayError('UNAUTHORIZED', 'A control plane at an address asks for a token', {
      hint: 'Give it by FAIRWAY_TOKEN or --token-file FILE (never on the command line: others could read it).',
    })
  }
  const { readFile } = await import('node:fs/promises')
  try {
    return (await readFile(options.tokenFile, 'utf8')).trim()
  } catch (cause) {
    throw new FairwayError('UNAUTHORIZED', `The token cannot be read from ${options.tokenFile}`, {
      hint: 'The file holds what `fairway server token` prints on the control plane’s machine.',
      cause,
    })
  }
}
