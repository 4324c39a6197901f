import { request } from 'node:http'

export interface ConfirmAnswer {
  readonly status: number
  /** 'BACKEND/SERVER' as HAProxy names who answered; '' when HAProxy itself did. */
  readonly server: string
}

/** One GET of the path to one server, through HAProxy, on a connection of its own. */
export function askThrough(
  socketPath: string,
  { backend, server, path }: { backend: string; server: string; path: string },
  signal: AbortSignal | undefined,
): Promise<ConfirmAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ConfirmAnswer>()
  const outgoing = request(
    {
      socketPath,
      path,
      agent: false,
      headers: {
        host: 'localhost',
        'user-agent': 'fairway-gateway',
        'x-fairway-backend': backend,
        'x-fairway-server': server,
      },
      ...(signal === undefined ? {} : { signal }),
    },
    (response) => {
      const named = response.headers['x-fairway-server']
      // The head tells all; the body may have no end.
      response.destroy()
      resolve({ status: response.statusCode ?? 0, server: typeof named === 'string' ? named : '' })
    },
  )
  outgoing.on('error', reject)
  outgoing.end()
  return promise
}
