import { expect, test } from 'vitest'
import { requireRunnable, runsOf } from './runnable.ts'

test('a machine runs what it is, its smaller brother, and what an emulator is registered for', () => {
  expect(runsOf({ os: 'linux', arch: 'amd64' }, ['register', 'status', 'python3.11', 'qemu-aarch64'])).toEqual([
    'linux/amd64',
    'linux/386',
    'linux/arm64',
  ])
  expect(runsOf({ os: 'linux', arch: 'arm64' }, [])).toEqual(['linux/arm64'])
})

test('a target it does not run is refused by both names, with the one to build for', () => {
  const runs = ['linux/amd64', 'linux/386']
  expect(() => requireRunnable('web', { os: 'linux', arch: 'amd64', variant: 'v3' }, runs)).not.toThrow()
  expect(() => requireRunnable('web', { os: 'linux', arch: 'arm', variant: 'v7' }, runs)).toThrow(
    expect.objectContaining({
      code: 'MACHINE_UNFIT',
      message: 'web is built for linux/arm/v7, and the control plane’s machine is linux/amd64',
    }),
  )
  expect(() => requireRunnable('web', { os: 'darwin', arch: 'amd64' }, runs)).toThrow('darwin/amd64')
})
