import { readdirSync } from 'node:fs'
import { FairwayError } from '../base/error.ts'
import { machineTarget, type Target, targetName } from './target.ts'

/**
 * 'linux/amd64', 'linux/386': what this machine runs, itself first; also what an emulator runs that the kernel was told of.
 * @see binfmt_misc(5), by the names that qemu registers
 */
export function machineRuns(): string[] {
  return runsOf(machineTarget(), registeredHandlers())
}

/** @param handlers the names below /proc/sys/fs/binfmt_misc */
export function runsOf({ os, arch }: Target, handlers: readonly string[]): string[] {
  const emulated = handlers.flatMap((name) => {
    const qemu = /^qemu-(\w+)$/.exec(name)?.[1]
    return qemu === undefined ? [] : [`${os}/${ofQemu[qemu] ?? qemu}`]
  })
  return [...new Set([`${os}/${arch}`, ...(arch === 'amd64' ? [`${os}/386`] : []), ...emulated])]
}

const ofQemu: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  i386: '386',
  loongarch64: 'loong64',
}

/**
 * The kernel's own words for it, "exec format error", name neither of the two.
 * @param runs what the control plane's machine runs, itself first
 * @throws FairwayError MACHINE_UNFIT
 */
export function requireRunnable(service: string, target: Target, runs: readonly string[]): void {
  const [machine = ''] = runs
  if (runs.includes(`${target.os}/${target.arch}`)) return
  throw new FairwayError(
    'MACHINE_UNFIT',
    `${service} is built for ${targetName(target)}, and the control plane’s machine is ${machine}`,
    { hint: `Build it for that machine: fairway up --target ${machine}` },
  )
}

function registeredHandlers(): string[] {
  try {
    return readdirSync('/proc/sys/fs/binfmt_misc')
  } catch {
    return [] // not mounted: then nothing is emulated
  }
}
