import { existsSync } from 'node:fs'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { execOk } from '../base/exec.ts'
import type { CommandContext } from './context.ts'

/** Where systemd runs, it has this folder: sd_booted(3). */
const systemdRuns = '/run/systemd/system'

/**
 * A unit that starts the control plane at boot, of the system for root and of the user otherwise; where there is no
 * systemd, the crontab line that does the same.
 */
export async function install(context: CommandContext, { print }: { print: boolean }): Promise<number> {
  const { stdout, options, home, environment } = context
  const launcher = new URL('../../fairway', import.meta.url).pathname
  const isRoot = process.getuid?.() === 0
  const crontabLine = `@reboot ${launcher} server run --home ${home}`
  const tell = (data: object, text: string) =>
    stdout.write(options.json === true ? `${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n` : text)
  if (!existsSync(systemdRuns)) {
    const text = `There is no systemd here. Add this line with \`crontab -e\`:\n${crontabLine}\n`
    tell({ crontab: crontabLine }, text)
    return 0
  }
  const unit = unitText({ launcher, home, isRoot })
  const folder = isRoot ? '/etc/systemd/system' : `${environment['HOME'] ?? ''}/.config/systemd/user`
  const path = `${folder}/fairway.service`
  if (print) {
    tell({ path, unit }, `# ${path}\n${unit}`)
    return 0
  }
  const { mkdir } = await import('node:fs/promises')
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(path, unit, { mode: 0o644 })
  const own = isRoot ? [] : ['--user']
  const env = definedOnly(environment)
  await execOk(['systemctl', ...own, 'daemon-reload'], { env, deadlineMs: 30_000 })
  await execOk(['systemctl', ...own, 'enable', '--now', 'fairway.service'], { env, deadlineMs: 60_000 })
  const lingering = isRoot ? '' : 'For a start at boot, before you log in: loginctl enable-linger\n'
  tell({ path }, `${path} is written, enabled and started.\n${lingering}`)
  return 0
}

/** KillMode=process: instances and gateway are children of nobody and outlive the control plane. */
export function unitText({ launcher, home, isRoot }: { launcher: string; home: string; isRoot: boolean }): string {
  return `[Unit]
Description=Fairway control plane
After=network.target

[Service]
Type=exec
ExecStart=${quoteUnit(launcher)} server run --home ${quoteUnit(home)}
Restart=always
RestartSec=1
KillMode=process
Delegate=yes
LimitNOFILE=65536

[Install]
WantedBy=${isRoot ? 'multi-user.target' : 'default.target'}
`
}

/** @see systemd.service(5) "Command lines" and systemd.unit(5) on specifiers */
function quoteUnit(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /[\s"'\\%$;]/.test(word) ? `"${escaped}"` : word
}

function definedOnly(environment: CommandContext['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}
