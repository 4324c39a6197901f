import { FairwayError } from '../../base/error.ts'
import type { ResultEvent } from '../../base/event.ts'
import { keyPattern, keyRule } from '../../config/value-type.ts'
import type { CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { projectName } from '../project-name.ts'
import { palette } from '../report/colour.ts'
import { formatTime } from '../report/describe.ts'
import { coloursOn } from '../report/open-reporter.ts'
import { table } from '../report/table.ts'

const maxSecretBytes = 128 * 1024

/** secret set, list, remove. A value comes from stdin and is never shown again. */
export const run: CommandModule['run'] = async ({ words, positionals }, context) => {
  const [key] = positionals
  if (key !== undefined && !keyPattern.test(key)) {
    throw new FairwayError('VALUES_INVALID', `${JSON.stringify(key.slice(0, 80))} is no name for a secret`, {
      hint: `A secret is named by ${keyRule}.`,
    })
  }
  // A misspelt environment would take the secret and never show it again.
  const { checkValue, findDeclarations } = await import('../../config/index.ts')
  const declared = await findDeclarations(context.folder, context.options.env, key)
  const value = words === 'secret set' ? await readValue(key ?? '', context) : undefined
  for (const [service, declaration] of value === undefined ? [] : declared) {
    const expected = checkValue(value ?? '', declaration)
    if (expected !== undefined) throw illTyped(key ?? '', service, expected)
  }
  const project = await projectName(context)
  const client = await connect(context, 'always')
  const body = {
    project,
    environment: context.options.env,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
  }
  const frames = client.frames<ResultEvent>('POST', `/v1/operations/${words.replace(' ', '-')}`, { body })
  for await (const frame of frames) {
    if (frame.kind !== 'result') continue
    if (frame.error !== undefined) {
      const { fromReport } = await import('../client.ts')
      throw fromReport(frame.error)
    }
    if (context.options.json === true) context.stdout.write(`${JSON.stringify(frame)}\n`)
    else context.stdout.write(describe(words, key, frame, context))
  }
  return 0
}

/** Without the value: it is a secret, also a wrong one. */
function illTyped(key: string, service: string, expected: string): FairwayError {
  return new FairwayError(
    'VALUES_INVALID',
    `${key}: expected ${expected}, as fairway.yaml declares it for ${service}`,
    {
      hint: 'Nothing was set. One line break at the end is taken off; is there anything else around the value?',
    },
  )
}

function describe(
  words: string,
  key: string | undefined,
  { outcome, data }: ResultEvent,
  { stdout, options, environment }: CommandContext,
): string {
  switch (words) {
    case 'secret set':
      return `${key} is set for ${options.env} (version ${(data as { version: number }).version}); fairway up makes a release of it\n`
    case 'secret remove':
      if (outcome === 'unchanged') return `${key} is not set for ${options.env}: nothing to remove\n`
      return `${key} is removed from ${options.env}; releases that have it keep it\n`
    default: {
      const { secrets } = data as { secrets: { key: string; version: number; setAt: number; setBy: string }[] }
      if (secrets.length === 0) return `No secrets are set for ${options.env}\n`
      const rows = secrets.map((one) => [one.key, String(one.version), formatTime(one.setAt), one.setBy])
      const paintHead = palette(coloursOn(stdout, environment)).dim
      return table([['KEY', 'VERSION', 'SET', 'BY'], ...rows], { isTerminal: stdout.isTTY, numbers: [1], paintHead })
    }
  }
}

/** One line break at the end is the editor's, not the value's. */
async function readValue(key: string, { stdin, stderr }: CommandContext): Promise<string> {
  if (stdin.isTTY) stderr.write(`${key}: type the value, then Enter and Ctrl-D\n`)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxSecretBytes) {
      throw new FairwayError('USAGE', `${key}: a value has at most ${maxSecretBytes / 1024} KiB`, {
        hint: 'Larger ones are files: deploy them beside the program.',
      })
    }
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text === '')
    throw new FairwayError('USAGE', `${key}: no value came on stdin`, { hint: `fairway secret set ${key} < FILE` })
  return text
}
