// Part of the set-up: loads what commands and control plane load, so that their compiled code lies in the cache.
import { commandTable } from '../src/cli/command-table.ts'
import '../src/cli/command-line.ts'
import '../src/cli/report/live.ts'
import '../src/cli/report/plain.ts'
import '../src/cli/report/json.ts'
import '../src/cli/start-server.ts'
import '../src/server/serve.ts'

for (const { load } of commandTable) await load()
