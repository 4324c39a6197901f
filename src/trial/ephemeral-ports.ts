/** Within a sandbox the kernel gives one of these to whoever asks for any: 50051, gRPC's own, is none of them. */
export const ephemeralPorts = { first: 64_000, last: 65_500 } as const

export function isEphemeral(port: number): boolean {
  return port >= ephemeralPorts.first && port <= ephemeralPorts.last
}
