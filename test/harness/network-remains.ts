import { readdir } from 'node:fs/promises'
import { execOk } from '../../src/base/exec.ts'

/**
 * Links, nft tables and rules that bear the name of a home, and the route that keeps its range.
 * @param prefix of its links, 'fw3fa2b1'
 */
export async function networkRemains(prefix: string): Promise<string[]> {
  const id = prefix.slice(2)
  const links = (await readdir('/proc/sys/net/ipv4/conf')).filter((link) => link.startsWith(`${prefix}-`))
  const rules = await execOk(['/usr/sbin/nft', 'list', 'ruleset'], { env: {} })
  const routes = await execOk(['/usr/sbin/ip', '-4', 'route', 'show', 'type', 'unreachable'], { env: {} })
  const metric = 1_000_000 + Number.parseInt(id, 16)
  return [
    ...links,
    ...rules.stdout.split('\n').filter((line) => line.includes(id)),
    ...routes.stdout.split('\n').filter((line) => line.includes(`metric ${metric}`)),
  ]
}
