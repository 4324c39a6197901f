import { join } from 'node:path'
import { FairwayError } from '../../base/error.ts'

/** What the gateway keeps in its folder. All of it but `record` can be made anew from the desired state. */
export interface GatewayFiles {
  readonly folder: string
  readonly config: string
  /** The next configuration, while HAProxy looks at it. */
  readonly candidate: string
  readonly serverState: string
  readonly routes: string
  readonly internal: string
  /** Holds `relay` in a worker that was replaced: see config.ts. */
  readonly role: string
  /** Ports and numbers that must stay what they are. */
  readonly record: string
  readonly identity: string
  readonly log: string
  readonly masterSocket: string
  readonly adminSocket: string
  readonly confirmSocket: string
  readonly relaySocket: string
  readonly relayInternalSocket: string
}

/**
 * HAProxy binds a socket under a temporary name, `PATH.PID.tmp`, and renames it; a socket's path ends at byte 107.
 * @see unix(7), sun_path
 */
const longestSocketPath = 107 - '.4194304.tmp'.length - 1

/** @throws FairwayError HOME_UNUSABLE when the folder's path is too long for a socket in it, or could break a configuration */
export function gatewayFiles(folder: string): GatewayFiles {
  const files: GatewayFiles = {
    folder,
    config: join(folder, 'haproxy.cfg'),
    candidate: join(folder, 'haproxy.cfg.candidate'),
    serverState: join(folder, 'servers.state'),
    routes: join(folder, 'routes.map'),
    internal: join(folder, 'internal.map'),
    role: join(folder, 'role.map'),
    record: join(folder, 'gateway.json'),
    identity: join(folder, 'haproxy.json'),
    log: join(folder, 'haproxy.log'),
    masterSocket: join(folder, 'master.sock'),
    adminSocket: join(folder, 'admin.sock'),
    confirmSocket: join(folder, 'confirm.sock'),
    relaySocket: join(folder, 'relay.sock'),
    relayInternalSocket: join(folder, 'relay-i.sock'),
  }
  if (!/^\/[A-Za-z0-9._/@+~-]*$/.test(folder)) {
    throw new FairwayError('HOME_UNUSABLE', `${folder}: HAProxy cannot be given a path with such characters`, {
      hint: 'Choose a home whose path has only letters, digits and . _ @ + ~ -, with --home DIR or FAIRWAY_HOME.',
    })
  }
  const longest = Math.max(
    ...Object.entries(files).map(([name, path]) => (name.endsWith('Socket') ? Buffer.byteLength(path) : 0)),
  )
  if (longest > longestSocketPath) {
    throw new FairwayError(
      'HOME_UNUSABLE',
      `${folder} is ${longest - longestSocketPath} characters too long: a socket's path ends at byte 107`,
      { hint: 'Choose a home with a shorter path, with --home DIR or FAIRWAY_HOME.' },
    )
  }
  return files
}
