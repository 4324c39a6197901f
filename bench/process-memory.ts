import { readdir, readFile } from 'node:fs/promises'

export interface ProcessMemory {
  /** What other processes map too counts in part: the Node binary's own pages, where another Node runs. */
  readonly pssMb: number
  /** As if nothing were shared. */
  readonly rssMb: number
}

/**
 * A process and its children of the same session: instances and HAProxy, which outlive it, have sessions of their own.
 * @see proc(5), /proc/PID/smaps_rollup
 */
export async function processMemory(pid: number): Promise<ProcessMemory> {
  const session = await sessionOf(pid)
  let pssKb = 0
  let rssKb = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || (await sessionOf(Number(name))) !== session) continue
    const text = await readFile(`/proc/${name}/smaps_rollup`, 'utf8').catch(() => '') // it has ended meanwhile
    pssKb += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0)
    rssKb += Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0)
  }
  return { pssMb: pssKb / 1024, rssMb: rssKb / 1024 }
}

async function sessionOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[3]
}
