/** Where an instance is reached: an IP address and a port, whatever the runtime. */
export interface Address {
  readonly host: string
  readonly port: number
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
