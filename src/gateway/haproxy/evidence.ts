import type { ObservedServer } from '../gateway.ts'
import type { ServerState, StatRow } from './parse.ts'

/** Of a column of counters or gauges. */
export function sum(rows: readonly StatRow[], column: string): number {
  return rows.reduce((total, row) => total + Number(row[column] ?? 0), 0)
}

/** Not the state a server begins with: an answer of the check was seen, and it was good. */
export function isConfirmedUp(row: StatRow): boolean {
  return (
    /^(\* )?(L7OK|L7OKC|L4OK|L6OK)$/.test(row['check_status'] ?? '') && /^(UP|DRAIN|NOLB)/.test(row['status'] ?? '')
  )
}

/** In `drain`, HAProxy says DRAIN also of a server whose checks fail. */
function isFailing(row: StatRow | undefined): boolean {
  return row === undefined || Number(row['check_health'] ?? 0) < Number(row['check_rise'] ?? 0)
}

export function describeCheck(row: StatRow | undefined): string {
  if (row === undefined) return 'HAProxy does not know it'
  const { check_status: status = '', check_code: code = '', check_desc: said = '', last_chk: last = '' } = row
  if (status === '' || status.includes('INI')) return 'its first check has not ended'
  return [`its check says ${status}`, code, [said, last].filter((part) => part !== '').join(': ')]
    .filter((part) => part !== '')
    .join(' ')
}

/** `rows` of all workers, the current one's first: only that one checks. */
export function observeServer({ name, address, mode }: ServerState, rows: readonly StatRow[]): ObservedServer {
  const mine = rows.filter(({ svname }) => svname === name)
  const up = /^(UP|DRAIN|NOLB|no check)/.test(mine[0]?.['status'] ?? '') && !isFailing(mine[0])
  return { name, address, mode, up, sessions: sum(mine, 'scur'), queued: sum(mine, 'qcur') }
}
