import { diffValues, type ResolvedValue } from '../config/index.ts'
import type { ReleaseContent } from './release.ts'

/** What differs between two releases: values (secrets masked), run specification, artifact. */
export function diffReleases(before: ReleaseContent, after: ReleaseContent) {
  return {
    values: diffValues(comparable(before), comparable(after)),
    run: diffRun(before, after),
    artifact: before.artifact === after.artifact ? null : { before: before.artifact, after: after.artifact },
  }
}

function comparable({ values }: ReleaseContent): Record<string, ResolvedValue> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]): [string, ResolvedValue] => [
      key,
      value.kind === 'plain'
        ? { value: value.value, secret: false, asFile: value.asFile }
        : { value: value.fingerprint, secret: true, asFile: value.asFile }, // never shown: it is a secret
    ]),
  )
}

/** Each part of the run specification that differs, as text. */
function diffRun(before: ReleaseContent, after: ReleaseContent): { part: string; before: string; after: string }[] {
  const parts = new Set([...Object.keys(before.run), ...Object.keys(after.run)])
  const text = (release: ReleaseContent, part: string) =>
    JSON.stringify(Object.entries(release.run).find(([key]) => key === part)?.[1]) ?? '-'
  return [...parts]
    .map((part) => ({ part, before: text(before, part), after: text(after, part) }))
    .filter((one) => one.before !== one.after)
}
