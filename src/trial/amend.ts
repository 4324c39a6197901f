import { dataWorkdir } from '../config/index.ts'
import { findMissingFile, findMissingValue, findPermission, findUnknownFlag, findUsage } from '../health/index.ts'
import { findConfigFiles, findConfigFlag, findPositional, findServeCommands, findWants, flagsOf } from './clues.ts'
import { findPlaceSettings, type PlaceSetting } from './find-place.ts'
import type { Missing } from './findings.ts'
import type { Known } from './known.ts'
import type { Observation } from './observation.ts'
import { below, isThere, shownPath } from './project-files.ts'
import { flagChoices, flagPlaceholder, isSecretName, placeholderFor } from './placeholder.ts'
import type { Setup } from './setup.ts'

/**
 * It did not serve: what to change, the likeliest first. Pure.
 * @param help what its help says; undefined: not asked yet
 * @returns `help` where its help is needed to say more
 */
export function amend(
  setup: Setup,
  seen: Observation,
  known: Known,
  help: readonly string[] | undefined,
): Setup[] | 'help' {
  const { lines } = seen
  const text = help === undefined ? lines : [...lines, ...help]
  if (findUnknownFlag(lines) !== undefined && setup.args.length > 0) return []
  const value = findMissingValue(lines, known.keys)
  if (value !== undefined && /^[A-Z][A-Z0-9_]*$/.test(value)) return giveValue(setup, value, known)
  if (value !== undefined) return help === undefined ? 'help' : giveFlag(setup, value, text, known)
  const refusal = findPermission(lines)
  const unwritable = refusal?.kind === 'file' ? refusal.what : findUnmade(lines)
  if (unwritable !== undefined) {
    const settings = findPlaceSettings(unwritable, { help: text, source: known.source })
    if (help === undefined && !settings.some(({ kind }) => kind === 'flag')) return 'help'
    return letWrite(setup, unwritable, { known, settings })
  }
  const file = findMissingFile(lines)
  if (file !== undefined) {
    const found = giveFile(setup, file, text, known)
    if (found.length > 0 || help !== undefined) return found.length > 0 ? found : lackFile(setup, file)
    return 'help'
  }
  // What only the sandbox lacks is not mended by starting it otherwise.
  if (seen.exit === undefined || findWants(lines).length > 0) return []
  if (findUsage(lines)) return giveArguments(setup, lines, known)
  if (help === undefined) return 'help'
  const commands = giveArguments(setup, help, known)
  if (commands.length > 0) return commands
  return moveFolder(setup, known)
}

function giveValue(setup: Setup, name: string, known: Known): Setup[] {
  if (known.keys.includes(name)) return [] // it has one, and is not content with it: its own words say why
  const had = setup.missing.some((each) => each.kind === 'value' && each.name === name)
  const kinds = [0, 1, 2].flatMap((attempt) => placeholderFor(name, attempt) ?? [])
  const next = kinds[had ? kinds.indexOf(setup.env[name] ?? '') + 1 : 0]
  if (next === undefined) return []
  const missing: Missing[] = had
    ? [...setup.missing]
    : [...setup.missing, { kind: 'value', name, secret: isSecretName(name) }]
  return [{ ...setup, env: { ...setup.env, [name]: next }, missing }]
}

function giveFlag(setup: Setup, name: string, text: readonly string[], known: Known): Setup[] {
  if (known.said.args !== undefined && known.said.args.some((word) => word.includes(name.replace(/^-+/, '')))) return []
  const bare = name.replace(/^-+/, '')
  const written = flagsOf(text).find(({ name: each, short = '' }) =>
    [each, short].some((one) => one.replace(/^-+/, '') === bare),
  )
  // What its help does not know is no flag.
  if (written === undefined && !name.startsWith('-')) return []
  const flag = name.startsWith('-') || written === undefined ? name : bare.length === 1 ? `-${bare}` : written.name
  if (setup.args.some((word) => word.startsWith(flag))) return []
  if (/config|conf$/i.test(bare)) {
    const files = giveConfigFiles(setup, flag, known)
    if (files.length > 0) return files
  }
  const about = written?.about
  const isNumber = /\b(?:u?int(?:16|32|64)?|number|port)\b/i.test(about ?? '')
  const choices = isNumber ? [] : flagChoices(about ?? '')
  const values =
    choices.length > 0 ? choices.slice(0, 4) : [isNumber ? '1' : flagPlaceholder(bare, about, known.service)]
  return values.map((value) => ({
    ...setup,
    args: [...setup.args, `${flag}=${value}`],
    missing: [...setup.missing, { kind: 'flag', flag, value, ...(choices.length > 0 ? { choices } : {}) }],
  }))
}

/** A folder it would make below one that is not there either. */
function findUnmade(lines: readonly string[]): string | undefined {
  return lines.flatMap((line) => /\bmkdir ["']?(\/[^"':]+)["']?: no such file/.exec(line)?.[1] ?? []).at(0)
}

/** Where a flag or a variable says; else, for what lies below its working directory, one it may write to. */
function letWrite(
  setup: Setup,
  path: string,
  { known: { said, keys }, settings }: { readonly known: Known; readonly settings: readonly PlaceSetting[] },
): Setup[] {
  if (said.data === false) return []
  const where = shownPath(path)
  const told = settings.flatMap(({ kind, name, value, from }): Setup[] => {
    const because = [...setup.because, `it may not write to ${where}, and ${name} tells it another place (${from})`]
    if (kind === 'variable') {
      if (keys.includes(name) || name in setup.given || said.workdir !== undefined) return []
      // Only an argument can name the folder; from within it, it is `.`.
      const given = { ...setup.given, [name]: value.replace(dataWorkdir, '.').replace(/^\.\//, '') }
      return [{ ...setup, given, place: { kind: 'data' }, because }]
    }
    if (said.args !== undefined || setup.args.some((word) => word.startsWith(`${name}=`))) return []
    return [{ ...setup, args: [...setup.args, `${name}=${value}`], because }]
  })
  const isOwn = !path.startsWith('/') || path.includes('/fairway-trial-')
  if (!isOwn || setup.place.kind === 'data' || said.workdir !== undefined) return told
  const because = [...setup.because, `it writes ${path.replace(/\/+$/, '').split('/').at(-1)} to its working directory`]
  return [...told, { ...setup, place: { kind: 'data' }, because }]
}

function giveFile(setup: Setup, file: string, text: readonly string[], known: Known): Setup[] {
  const { folders, files, said } = known
  const inPlace = (folder: string) => setup.place.kind === 'copy' && setup.place.workdir === folder
  const relative = file.startsWith('/') ? undefined : file
  const mayMove = said.workdir === undefined && said.files === undefined
  const places =
    !mayMove || relative === undefined
      ? []
      : folders.filter((folder) => !inPlace(folder) && isThere(files, folder, relative))
  const moved = places.map((workdir): Setup => ({
    ...setup,
    place: { kind: 'copy', workdir },
    because: [...setup.because, `it did not find ${file}, which is ${below(workdir, file)} in the project`],
  }))
  if (moved.length > 0) return moved
  const isConfig = /\.(?:ya?ml|toml|json|hcl|ini|conf|cfg)$|config/i.test(file)
  const flag = findConfigFlag(text)
  if (isConfig && flag !== undefined && said.args === undefined) return giveConfigFiles(setup, flag, known)
  return []
}

/** A file the project has not, or a folder it would have to make. */
function lackFile(setup: Setup, file: string): Setup[] {
  if (!file.startsWith('/') && setup.place.kind !== 'data' && !/\.\w{1,5}$/.test(file)) {
    return [
      { ...setup, place: { kind: 'data' }, because: [...setup.because, `it wants ${file} in its working directory`] },
    ]
  }
  return []
}

function giveConfigFiles(setup: Setup, flag: string, { files, service }: Known): Setup[] {
  if (setup.args.includes(flag) || setup.args.some((word) => word.startsWith(`${flag}=`))) return []
  return findConfigFiles(files, service).map((path) => ({
    ...setup,
    args: [...setup.args, ...(flag.length === 2 ? [flag, path] : [`${flag}=${path}`])],
    place: { kind: 'copy', workdir: '.' },
    because: [...setup.because, `it wants a configuration file, and the project has ${path} (${flag})`],
  }))
}

/** An exit with a usage text is "needs arguments", whatever its status. */
function giveArguments(setup: Setup, lines: readonly string[], known: Known): Setup[] {
  const { service, said } = known
  if (said.args !== undefined) return []
  const depth = setup.args.filter((word) => !word.startsWith('-')).length
  if (depth >= 2) return []
  const commands = findServeCommands(lines, service).filter((word) => !setup.args.includes(word))
  const given = commands.map((word): Setup => ({
    ...setup,
    args: [...setup.args, word],
    because: [...setup.because, `its usage names the command ${word}`],
  }))
  const positional = commands.length > 0 ? undefined : findPositional(lines)
  if (positional === 'folder' && !setup.args.includes('.')) {
    given.push({
      ...setup,
      args: [...setup.args, '.'],
      place: { kind: 'data' },
      because: [...setup.because, 'its usage asks for a folder: its working directory, which is kept'],
    })
  }
  if (positional === 'file') given.push(...givePositionalFile(setup, known))
  return given
}

/** One of the project's, where its usage asks for a configuration file: `serve <config>`. */
function givePositionalFile(setup: Setup, { files, folders, service }: Known): Setup[] {
  const found = findConfigFiles(files, service)
  if (found.some((path) => setup.args.includes(path))) return []
  // Beside the main package before any other place.
  const main = folders.at(-1) ?? '.'
  const isBeside = (path: string) => main !== '.' && path.startsWith(`${main}/`)
  return found
    .toSorted((a, b) => Number(isBeside(b)) - Number(isBeside(a)))
    .map((path) => ({
      ...setup,
      args: [...setup.args, path],
      place: { kind: 'copy', workdir: '.' },
      because: [...setup.because, `its usage asks for a configuration file, and the project has ${path}`],
    }))
}

function moveFolder(setup: Setup, { folders, files, said }: Known): Setup[] {
  if (setup.place.kind !== 'artifact' || said.workdir !== undefined || said.files !== undefined || files.length === 0)
    return []
  return folders.map((workdir) => ({
    ...setup,
    place: { kind: 'copy', workdir },
    because: [...setup.because, `it serves only in ${workdir === '.' ? 'the project’s folder' : workdir}`],
  }))
}
