import { z } from 'zod'

const words = (rule: string) => ({ error: `expected ${rule}` })

const tagRule = 'build tags like `[netgo, sqlite_json]`'
const stepRule = 'commands like `[npm, run, build]` or `{ in: web, run: [npm, run, build] }`'
const folderRule = 'a folder below the project’s, without `..`'

const command = z.array(z.string(words('a word')).min(1, words('a word that is not empty')), words(stepRule)).min(1)

const step = z
  .union(
    [
      command,
      z.strictObject({
        in: z
          .string(words(folderRule))
          .min(1, words(folderRule))
          .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), words(folderRule))
          .describe('Where it runs. Default: the project’s folder.')
          .optional(),
        run: command.describe('The command, word by word: no shell reads it.'),
      }),
    ],
    words(stepRule),
  )
  .transform((value) =>
    Array.isArray(value) ? { in: '.', run: value } : { in: tidyFolder(value.in ?? '.'), run: value.run },
  )

function tidyFolder(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return parts.length === 0 ? '.' : parts.join('/')
}

/** Text that go's own splitting of `-ldflags` takes: quotes in pairs, and one line. */
const flagPattern = /^(?:[^'"\n\r]|'[^'\n\r]*'|"[^"\n\r]*")+$/
const ldflagRule = 'linker flags like `[-s, "-X main.version={{tag}}"]`, quotes in pairs'

/** How Go builds: of the project, or of one service. What is left out is detected (`fairway build --explain`). */
export const goSchema = z
  .strictObject({
    tags: z
      .array(z.string(words(tagRule)).regex(/^[\p{L}\p{N}_.]+$/u, words(tagRule)), words(tagRule))
      .describe('Build tags. Default none.')
      .optional(),
    ldflags: z
      .array(
        z
          .string(words(ldflagRule))
          .regex(flagPattern, words(ldflagRule))
          .refine(
            (text) => !/\{\{(?!(tag|commit)\}\})/.test(text),
            words('no other placeholders than `{{tag}}` and `{{commit}}`'),
          ),
        words(ldflagRule),
      )
      .describe(
        'Flags of the linker beside -w. {{tag}} is the tag that points at the commit, {{commit}} the commit itself: with it every commit is another binary.',
      )
      .optional(),
    cgo: z
      .union([z.boolean(), z.literal('static')], words('`true`, `false` or `static`'))
      .describe('Whether C code is compiled in; static: with the C library inside. Default: where a package needs it.')
      .optional(),
    generate: z
      .array(step, words(stepRule))
      .describe('Commands run before the build: a front-end to embed, generated code. [] for none. Default: detected.')
      .optional(),
  })
  .describe('How Go builds.')

const versionRule = 'a version of Go like `1.26.8`'

/** The project's: one toolchain builds all of it. */
export const projectGoSchema = goSchema
  .extend({
    version: z
      .string(words(versionRule))
      .regex(/^[1-9]\.[0-9]{1,3}(?:\.[0-9]{1,3}|rc[0-9]{1,2})$/, words(versionRule))
      .describe(
        'Exactly this toolchain. Default: one of this machine that is new enough, else the newest patch of the line go.mod names.',
      )
      .optional(),
  })
  .describe('How Go builds.')
