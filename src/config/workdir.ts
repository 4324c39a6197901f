import { dataWorkdir } from './specification.ts'

/** Below the artifact's folder, or the folder of `data: true`. */
export function isWorkdir(path: string): boolean {
  if (path === dataWorkdir) return true
  return /^[^/\0]/.test(path) && !path.split('/').includes('..') && !path.includes('{{')
}
