import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { reportError } from '../base/error.ts'
import { closeInheritedDescriptors } from '../base/inherited-descriptors.ts'
import { spareMemory } from './memory.ts'
import { serve } from './serve.ts'

/** The control plane as a process: `--home DIR`. It says on descriptor 3, where there is one, that it serves or why not. */
const { values } = parseArgs({ options: { home: { type: 'string' }, foreground: { type: 'boolean', default: false } } })
closeInheritedDescriptors([3])
const tell = (line: string) => {
  if (values.foreground) return
  try {
    writeSync(3, `${line}\n`)
  } catch {
    // nobody waits for the word: started by hand or by systemd
  }
}

try {
  if (values.home === undefined) throw new TypeError('--home DIR is missing')
  const running = await serve({ home: values.home, environment: process.env })
  tell('ready')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => running.stop())
  process.on('SIGHUP', () => {}) // a closed terminal ends nothing
  // Written at exit only, and a control plane is rarely let exit: the next start shall be fast.
  setTimeout(() => {
    flushCompileCache()
    spareMemory()
  }, 1000).unref()
  await running.ended
  process.exit(0)
} catch (error) {
  const report = reportError(error)
  tell(JSON.stringify(report))
  process.stderr.write(`${new Date().toISOString()} ${report.code}: ${report.message}\n`)
  process.exit(1)
}
