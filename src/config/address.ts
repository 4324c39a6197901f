/** Where something listens; light, since the CLI reads the home's addresses at every start. */
export interface BindAddress {
  /** An IP address, a host name, or `*` for every address of the machine. */
  readonly host: string
  /** 0 = any that is free. */
  readonly port: number
}

/** '127.0.0.1:8470', '[::1]:80', '*:443', 'localhost:0'; undefined for anything else. */
export function parseBind(text: string): BindAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|(\*|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):([0-9]{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host !== undefined && port <= 65_535 ? { host, port } : undefined
}
