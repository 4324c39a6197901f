import { FairwayError } from '../base/error.ts'

/** What a binary is compiled for: 'linux/arm64', 'linux/arm/v7', 'linux/amd64/v3', as Go and image registries both write it. */
export interface Target {
  /** GOOS */
  readonly os: string
  /** GOARCH */
  readonly arch: string
  /** The least processor it runs on; without one, Go's default for the architecture. */
  readonly variant?: string
}

/** The variable that says the variant, and what it may be; Go alone knows which systems and architectures go together. */
const variants: Readonly<Record<string, readonly [variable: string, shape: RegExp]>> = {
  '386': ['GO386', /^(?:sse2|softfloat)$/],
  amd64: ['GOAMD64', /^v[1-4]$/],
  arm: ['GOARM', /^v[567]$/],
  arm64: ['GOARM64', /^v(?:8(?:\.[0-9])?|9(?:\.[0-5])?)$/],
  mips: ['GOMIPS', /^(?:hardfloat|softfloat)$/],
  mipsle: ['GOMIPS', /^(?:hardfloat|softfloat)$/],
  mips64: ['GOMIPS64', /^(?:hardfloat|softfloat)$/],
  mips64le: ['GOMIPS64', /^(?:hardfloat|softfloat)$/],
  ppc64: ['GOPPC64', /^power(?:8|9|10)$/],
  ppc64le: ['GOPPC64', /^power(?:8|9|10)$/],
  riscv64: ['GORISCV64', /^rva(?:20|22|23)u64$/],
}

/** @throws FairwayError USAGE */
export function parseTarget(text: string): Target {
  const [os = '', arch = '', variant, ...rest] = text.split('/')
  const word = /^[a-z0-9]{1,20}$/
  if (!word.test(os) || !word.test(arch) || rest.length > 0) {
    throw new FairwayError('USAGE', `${JSON.stringify(text)} is no target: OS/ARCH or OS/ARCH/VARIANT was expected`, {
      hint: 'For example linux/amd64, linux/arm64 or linux/arm/v7. All that Go knows: go tool dist list',
    })
  }
  if (variant === undefined) return { os, arch }
  const [variable, shape] = variants[arch] ?? []
  if (shape?.test(variant) !== true) {
    const known = variable === undefined ? `${arch} has none` : `${variable} of ${arch} matches ${shape?.source}`
    throw new FairwayError('USAGE', `${JSON.stringify(text)} names a variant Go does not know: ${known}`, {
      hint: `Without a variant it is Go’s default: ${os}/${arch}`,
    })
  }
  return { os, arch, variant }
}

/** 'linux/arm/v7' */
export function targetName({ os, arch, variant }: Target): string {
  return variant === undefined ? `${os}/${arch}` : `${os}/${arch}/${variant}`
}

/** What the go command is told: GOOS, GOARCH and, where a variant is asked for, the architecture's own variable. */
export function targetEnvironment({ os, arch, variant }: Target): Readonly<Record<string, string>> {
  const base = { GOOS: os, GOARCH: arch }
  const [variable] = variants[arch] ?? []
  if (variant === undefined || variable === undefined) return base
  if (variable === 'GOARM') return { ...base, GOARM: variant.slice(1) }
  // Images say v8, Go says v8.0.
  if (variable === 'GOARM64') return { ...base, GOARM64: /^v[89]$/.test(variant) ? `${variant}.0` : variant }
  return { ...base, [variable]: variant }
}

/** What this process runs on, as Go names it. */
export function machineTarget(): Target {
  const { platform, arch } = process
  const named: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' }
  return { os: platform === 'win32' ? 'windows' : platform, arch: named[arch] ?? arch }
}
