import { jsonSchema } from '../../config/index.ts'
import type { CommandModule } from '../command.ts'

export const run: CommandModule['run'] = async (_input, { stdout }) => {
  stdout.write(`${JSON.stringify(await jsonSchema(), null, 2)}\n`)
  return 0
}
