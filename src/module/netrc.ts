import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Secret } from '../base/secret.ts'

/** A line's worth of .netrc: who one is at a host. */
export interface NetrcEntry {
  readonly machine: string
  readonly login: string
  readonly password: Secret
}

/** As the go command reads it: `default` is not used, macros are passed over. */
export function parseNetrc(text: string): NetrcEntry[] {
  const entries: NetrcEntry[] = []
  let entry: { machine?: string; login?: string; password?: string } = {}
  let isMacro = false
  for (const line of text.split(/\r?\n/)) {
    if (isMacro) {
      isMacro = line.trim() !== ''
      continue
    }
    const words = line.trim().split(/\s+/)
    for (let at = 0; at < words.length; at += 2) {
      const [word, value] = [words[at], words[at + 1]]
      if (word === 'default') return entries
      if (value === undefined) break
      if (word === 'machine') entry = { machine: value }
      else if (word === 'login') entry.login = value
      else if (word === 'password') entry.password = value
      else if (word === 'macdef') isMacro = true
      const { machine, login, password } = entry
      if (machine === undefined || login === undefined || password === undefined) continue
      entries.push({ machine, login, password: new Secret(password) })
      entry = {}
    }
  }
  return entries
}

/** NETRC, else the one in the home folder; none is none. */
export async function readNetrc({
  NETRC = '',
  HOME = '',
}: Readonly<Record<string, string | undefined>>): Promise<NetrcEntry[]> {
  const path = NETRC !== '' ? NETRC : HOME !== '' ? join(HOME, '.netrc') : undefined
  if (path === undefined) return []
  return parseNetrc(await readFile(path, 'utf8').catch(() => ''))
}
