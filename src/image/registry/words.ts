import { type Secret, shownSecret } from '../../base/secret.ts'
import type { HttpAnswer } from './http.ts'

/**
 * A registry's own words about a refusal, a line each; whatever it sends, and without our secrets should it repeat them.
 * @see OCI Distribution Specification 1.1, "Error Codes"
 */
export function registryWords({ headers, body }: HttpAnswer, secrets: readonly Secret[]): string[] {
  const text = body.toString('utf8', 0, 65_536)
  const said = fromJson(text) ?? [headers['content-type']?.includes('html') === true ? titleOf(text) : text]
  return said
    .map((line) => mask(line, secrets).replaceAll(/\s+/g, ' ').trim().slice(0, 300))
    .filter((line) => line !== '')
    .slice(0, 5)
}

function fromJson(text: string): string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null) return undefined
    const { errors, details, message } = parsed as Record<string, unknown>
    if (Array.isArray(errors)) return errors.map(errorLine)
    const plain = details ?? message
    return typeof plain === 'string' ? [plain] : undefined
  } catch {
    return undefined
  }
}

function errorLine(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error)
  const { code, message } = error as Record<string, unknown>
  return [code, message].filter((word) => typeof word === 'string' && word !== '').join(': ')
}

/** A proxy in between answers with a page. */
function titleOf(html: string): string {
  return /<title[^>]*>([^<]*)/i.exec(html)?.[1] ?? html.replaceAll(/<[^>]*>/g, ' ')
}

function mask(text: string, secrets: readonly Secret[]): string {
  return secrets.reduce((masked, secret) => {
    const value = secret.reveal()
    return value === '' ? masked : masked.replaceAll(value, shownSecret)
  }, text)
}
