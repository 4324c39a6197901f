import type { CommandModule } from '../command-table.ts'

export const run: CommandModule['run'] = async () => 0
