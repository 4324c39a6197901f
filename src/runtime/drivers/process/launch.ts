import { spawn } from 'node:child_process'
import { chown, mkdir, open, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../../../base/atomic-file.ts'
import { errnoOf, explainWriteError, FairwayError } from '../../../base/error.ts'
import { readProcessStat } from '../../../base/process-identity.ts'
import type { Secret } from '../../../base/secret.ts'
import { type InstanceSpec, instanceName } from '../../runtime.ts'
import { createGroup, groupFolders, joinGroup } from './cgroup.ts'
import type { ProcessContext } from './context.ts'
import { blockedFolder, refuseFormat } from './executable.ts'
import { connectNetwork } from './own-network.ts'
import { folderName, folderPaths, logPath, type ProcessRecord } from './instance-folder.ts'
import { refusalArgv, refuseVariable, shimCommand } from './shim.ts'

/**
 * Starts a shim for an incarnation that has nothing yet. In this order, so that a kill at any line leaves nothing that
 * `observe` would not find: the record, the cgroup, the shim at its gate, the record with the shim, its network, the gate.
 * @returns the shim's pid
 */
export async function launch(spec: InstanceSpec, context: ProcessContext): Promise<number> {
  const { runFolder, logFolder, bootId, clock, cgroups } = context
  const paths = folderPaths(runFolder, spec.id)
  const name = folderName(spec.id)
  try {
    await mkdir(paths.folder, { mode: 0o711 })
    const record: ProcessRecord = {
      bootId,
      startedAt: clock.now(),
      groups: groupFolders(cgroups, name),
      ...(spec.address === undefined ? {} : { address: spec.address }),
      ...(spec.user === undefined ? {} : { user: spec.user }),
      ...(spec.network === undefined ? {} : { network: { host: spec.network.host } }),
    }
    const save = (content: ProcessRecord) => writeFileAtomic(paths.record, JSON.stringify(content), { durable: false })
    await save(record)
    await createGroup(cgroups, name, spec.limits)
    const secretEnv = await writeSecretFiles(paths.secrets, spec)
    await prepareDataFolder(spec)
    await checkReachable(spec, Object.keys(secretEnv).length > 0 ? paths.secrets : undefined)
    const refusal = await refuseFormat(spec.argv[0], spec.folder)
    const program = refusal === undefined ? spec.argv : refusalArgv(refusal)

    await mkdir(dirname(logPath(logFolder, spec.id, 'out')), { recursive: true })
    await using out = await open(logPath(logFolder, spec.id, 'out'), 'a', 0o640)
    await using err = await open(logPath(logFolder, spec.id, 'err'), 'a', 0o640)
    await using status = await open(paths.status, 'a', 0o600)
    const { argv, env } = shimCommand(context.tools, program, { ...reveal(spec.env), ...secretEnv }, spec)
    const [sh, ...args] = argv
    const shim = spawn(sh, args, {
      cwd: spec.folder,
      env,
      detached: true,
      stdio: ['pipe', out.fd, err.fd, status.fd],
    })
    const { promise: failed, reject } = Promise.withResolvers<never>()
    failed.catch(() => {})
    shim.on('error', reject)
    shim.stdin?.on('error', () => {}) // it died at the gate: seen below
    if (shim.pid === undefined) return await failed
    try {
      const found = await readProcessStat(shim.pid, context.procRoot)
      if (found === undefined)
        throw new FairwayError('START_FAILED', 'The shim ended before it was asked to start anything')
      await joinGroup(record.groups, shim.pid)
      await save({ ...record, shim: { pid: shim.pid, startTicks: found.startTicks } })
      if (spec.network !== undefined) await connectNetwork(shim.pid, spec.network, context)
      shim.stdin?.end('go\n')
    } catch (error) {
      shim.stdin?.destroy() // the gate is closed, it leaves
      throw error
    }
    shim.unref()
    return shim.pid
  } catch (error) {
    throw explainStart(error, spec, paths.folder)
  }
}

function reveal(env: Readonly<Record<string, string | Secret>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, typeof value === 'string' ? value : value.reveal()]),
  )
}

/** @throws FairwayError VALUES_INVALID for what no program can be given; the value is not shown */
export function checkSpec(spec: InstanceSpec): void {
  const values = Object.entries({
    ...reveal(spec.env),
    ...Object.fromEntries(Object.keys(spec.secretFiles).map((k) => [k, ''])),
  })
  const details = values.flatMap(([name, value]) => {
    const why = refuseVariable(name, value)
    return why === undefined ? [] : [`${JSON.stringify(name)}: ${why}`]
  })
  if (spec.argv.some((word) => word.includes('\0'))) details.push('an argument cannot hold a NUL byte')
  if (details.length === 0) return
  throw new FairwayError('VALUES_INVALID', `${instanceName(spec.id)} cannot be given these values`, {
    details,
    hint: 'Rename or remove them in the .env files or in fairway.yaml.',
  })
}

/** @returns the variables that say where they are */
async function writeSecretFiles(folder: string, { secretFiles, user }: InstanceSpec): Promise<Record<string, string>> {
  const env: Record<string, string> = {}
  const files = Object.entries(secretFiles)
  if (files.length === 0) return env
  await mkdir(folder, { mode: 0o700 })
  for (const [name, secret] of files) {
    const path = join(folder, name)
    await writeFile(path, secret.reveal(), { mode: 0o400 })
    if (user !== undefined) await chown(path, user.uid, user.gid)
    env[`${name}_FILE`] = path
  }
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  return env
}

async function prepareDataFolder({ dataFolder, user }: InstanceSpec): Promise<void> {
  if (dataFolder === undefined) return
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  if (user !== undefined) await chown(dataFolder, user.uid, user.gid)
}

/** Once it has another user, a program sees only what lies behind folders that user may enter. */
async function checkReachable({ folder, dataFolder, user }: InstanceSpec, secrets: string | undefined): Promise<void> {
  await stat(folder)
  if (user === undefined) return
  for (const path of [folder, dataFolder, secrets]) {
    if (path === undefined) continue
    const blocked = await blockedFolder(path, user)
    if (blocked === undefined) continue
    throw new FairwayError('START_FAILED', `User ${user.uid} may not enter ${blocked}, which leads to ${path}`, {
      hint: `Let it pass with \`chmod o+x ${blocked}\`, or choose another home with --home DIR.`,
    })
  }
}

function explainStart(error: unknown, spec: InstanceSpec, folder: string): unknown {
  if (error instanceof FairwayError) return error
  const explained = explainWriteError(error, folder)
  const errno = errnoOf(error)
  if (explained instanceof FairwayError && explained.code === 'DISK_FULL') return explained
  if (errno === undefined) return error
  const hints: Readonly<Record<string, string>> = {
    E2BIG:
      'Its arguments and environment together are larger than the kernel takes: pass large values as files (`as: file`).',
    EAGAIN: 'The limit of processes is reached (ulimit -u, pids.max).',
    EMFILE: 'The limit of open files is reached (ulimit -n).',
  }
  const why = error instanceof Error ? error.message : String(error)
  return new FairwayError('START_FAILED', `${instanceName(spec.id)} could not be started: ${why}`, {
    cause: error,
    hint: hints[errno],
  })
}
