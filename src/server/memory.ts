const lookEveryMs = 2_000
/** So much more than after the last collection is worth one: about 30 ms of work. */
const grownByBytes = 16 * 1024 * 1024

/**
 * Gives back what was used and is not needed. V8 collects when it runs out of room, and on a machine with much memory that
 * is late: with 100 instances 27 MB in use had become 240 MB held. The launcher gives `--expose-gc`; without it nothing
 * is done.
 */
export function spareMemory(): void {
  const { gc } = globalThis
  if (gc === undefined) return
  let floor = 0
  let collecting = false
  const look = async () => {
    if (collecting || process.memoryUsage.rss() < floor + grownByBytes) return
    collecting = true
    await gc({ type: 'major', execution: 'async' })
    collecting = false
    floor = process.memoryUsage.rss()
  }
  setInterval(() => void look(), lookEveryMs).unref()
}
