import { expect, test } from 'vitest'
import { Signer, SignedLog } from '../../test/harness/signed-log.ts'
import { ChecksumDatabase, type ChecksumStore } from './checksum-database.ts'
import { parseVerifierKey } from './note.ts'
import { edgeTiles, tilePath } from './tree.ts'

const module = { path: 'golang.org/toolchain', version: 'v0.0.1-go1.26.8.linux-amd64' }
const right = `h1:${'A'.repeat(43)}=`
const forged = `h1:${'B'.repeat(43)}=`
const record = (h1: string) =>
  `${module.path} ${module.version} ${h1}\n${module.path} ${module.version}/go.mod ${right}\n`

type MemoryStore = ChecksumStore & { head: Buffer | undefined; readonly answers: Map<string, Buffer> }

function memoryStore(): MemoryStore {
  const answers = new Map<string, Buffer>()
  return {
    head: undefined,
    answers,
    readHead() {
      return Promise.resolve(this.head)
    },
    replaceHead(old, next) {
      const isOld = old === undefined ? this.head === undefined : this.head?.equals(old) === true
      if (isOld) this.head = next
      return Promise.resolve(isOld)
    },
    readAnswer: (path) => Promise.resolve(answers.get(path)),
    writeAnswer: (path, content) => Promise.resolve(void answers.set(path, content)),
  }
}

/** A log with our record in the middle, tall enough for tiles on three levels. */
function makeLog({
  signer = new Signer(),
  before = 300,
  after = 66_000,
  h1 = right,
  filler = 'filler',
} = {}): SignedLog {
  const log = new SignedLog(signer)
  log.fill(before, filler)
  log.add(module.path, module.version, record(h1))
  log.fill(after, filler)
  return log
}

function connect(
  log: SignedLog,
  { store = memoryStore(), answer = (path: string) => log.answer(path), key = log.signer.key } = {},
) {
  const asked: string[] = []
  const remote = (path: string) => {
    asked.push(path)
    return Promise.resolve(answer(path))
  }
  return { database: new ChecksumDatabase({ key, remote, store }), store, asked }
}

/** Nothing of it may be kept for later. */
async function refusalOf({ database, store }: ReturnType<typeof connect>): Promise<string> {
  const message = await database.check(module, right).then(
    () => 'was taken',
    (error: unknown) => String(error),
  )
  expect([...store.answers.keys()]).toEqual([])
  return message
}

test('a record with its proofs is believed, and asked for once', async () => {
  const { database, asked, store } = connect(makeLog())
  expect(await database.lookup(module)).toEqual({ zip: right, goMod: right })
  await database.check(module, right)
  expect(asked.filter((path) => path.startsWith('lookup/'))).toHaveLength(1)
  expect(new Set(asked).size).toBe(asked.length)
  expect(store.head?.toString()).toContain('66301')
})

test.each([1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])('a tree of %i is read', async (size) => {
  const log = makeLog({ before: size - 1, after: 0 })
  await connect(log).database.check(module, right)
})

test('what was fetched and is another is refused, with both hashes', async () => {
  const { database } = connect(makeLog())
  const error = await database.check(module, forged).catch((each: unknown) => each)
  expect(error).toMatchObject({ code: 'MODULE_UNVERIFIED', details: [`fetched:  ${forged}`, `recorded: ${right}`] })
})

test('the log grows between two lookups: the second is believed after a consistency check', async () => {
  const log = makeLog({ after: 10 })
  const store = memoryStore()
  await connect(log, { store }).database.check(module, right)
  log.add('example.com/late', 'v1.0.0', `example.com/late v1.0.0 ${forged}\n`)
  log.fill(70_000)
  await connect(log, { store }).database.check({ path: 'example.com/late', version: 'v1.0.0' }, forged)
  expect(store.head?.toString()).toContain(String(log.size))
})

test('a lookup that carries an older tree than the head is believed, and the head stays', async () => {
  const log = makeLog()
  const store = memoryStore()
  store.head = log.head()
  const old = connect(log, { store, answer: (path) => log.answer(path, path.startsWith('lookup/') ? 301 : log.size) })
  await old.database.check(module, right)
  expect(store.head).toEqual(log.head())
})

test('where a mirror has no newest head, that of the lookup is taken', async () => {
  const log = makeLog()
  await connect(log, { answer: (path) => (path === 'latest' ? undefined : log.answer(path)) }).database.check(
    module,
    right,
  )
})

test('a partial tile that has become a whole one is cut', async () => {
  const log = makeLog({ after: 10 })
  const store = memoryStore()
  const before = log.size
  log.fill(1000)
  const mirror = (path: string) =>
    /\.p\//.test(path) && path.includes('tile/8/0/')
      ? undefined
      : log.answer(path, path === 'latest' ? undefined : before)
  await connect(log, { store, answer: (path) => (path === 'latest' ? undefined : mirror(path)) }).database.check(
    module,
    right,
  )
})

test('a cached answer that was spoilt is asked for again', async () => {
  const log = makeLog()
  const { database, store } = connect(log)
  await database.check(module, right)
  for (const [path, data] of store.answers) store.answers.set(path, Buffer.from(data).fill(0x41, 3, 30))
  await database.check(module, right)
})

test('hole of 2026, first: a record of another module, in the log and signed, verifies nothing', async () => {
  const log = makeLog()
  log.add('example.com/other', 'v1.0.0', `example.com/other v1.0.0 ${right}\n`)
  const other = connect(log, {
    answer: (path) => (path.startsWith('lookup/') ? log.lookup('example.com/other@v1.0.0') : log.answer(path)),
  })
  expect(await refusalOf(other)).toContain('its record holds no line for golang.org/toolchain')
})

test('…nor does one whose lines only resemble', async () => {
  for (const line of [
    `${module.path}x ${module.version} ${right}`,
    `${module.path} ${module.version}x ${right}`,
    `${module.path} ${module.version}/go.mod ${right}`,
    `${module.path}  ${module.version} ${right}`,
    ` ${module.path} ${module.version} ${right}`,
    `${module.path} ${module.version} ${right} `,
    `${module.path} ${module.version} h1:abc`,
  ]) {
    const log = new SignedLog(new Signer())
    log.add(module.path, module.version, `${line}\n`)
    expect(await refusalOf(connect(log))).toContain('holds no line for')
  }
})

test('…nor one that says two things', async () => {
  const log = new SignedLog(new Signer())
  log.add(
    module.path,
    module.version,
    `${module.path} ${module.version} ${right}\n${module.path} ${module.version} ${forged}\n`,
  )
  expect(await refusalOf(connect(log))).toContain('two different hashes')
})

test('hole of 2026, second: lines in the text of the note, which are signed but not in the log, count for nothing', async () => {
  const log = makeLog()
  log.add('example.com/other', 'v1.0.0', `example.com/other v1.0.0 ${forged}\n`)
  const noted = connect(log, {
    answer: (path) =>
      path.startsWith('lookup/') ? log.lookup('example.com/other@v1.0.0', log.size, record(right)) : log.answer(path),
  })
  expect(await refusalOf(noted)).toContain('its record holds no line for')
})

test('hole of 2026, third: a tile of any level that is not its parent’s child is refused', async () => {
  const signer = new Signer()
  const [honest, lying] = [makeLog({ signer }), makeLog({ signer, h1: forged })]
  const levels = ['tile/8/0/001', 'tile/8/1/000']
  for (const forgedTiles of [levels.slice(0, 1), levels]) {
    const answer = (path: string) => {
      if (path === 'latest') return honest.answer(path)
      if (path.startsWith('lookup/')) return Buffer.concat([Buffer.from(`300\n${record(forged)}\n`), honest.head()])
      return (forgedTiles.includes(path) ? lying : honest).answer(path)
    }
    const { database, store } = connect(honest, { answer })
    await expect(database.check(module, forged)).rejects.toThrow('is not part of its signed tree')
    expect(store.answers.size).toBe(0)
  }
})

test('tiles at the edge that do not give the root are refused', async () => {
  const signer = new Signer()
  const [honest, lying] = [makeLog({ signer, after: 10 }), makeLog({ signer, after: 10, h1: forged })]
  const answer = (path: string) => (path.startsWith('tile/') ? lying : honest).answer(path)
  expect(await refusalOf(connect(honest, { answer }))).toContain('do not give the root')
})

test('a record that the log does not hold at its number is refused', async () => {
  const log = makeLog()
  for (const id of [299, 301]) {
    const answer = (path: string) =>
      path.startsWith('lookup/')
        ? Buffer.concat([Buffer.from(`${id}\n${record(right)}\n`), log.head()])
        : log.answer(path)
    expect(await refusalOf(connect(log, { answer }))).toContain(`record ${id} of the log is another`)
  }
  const beyond = (path: string) =>
    path.startsWith('lookup/')
      ? Buffer.concat([Buffer.from(`300\n${record(right)}\n`), log.head(300)])
      : log.answer(path)
  expect(await refusalOf(connect(log, { answer: beyond }))).toContain('outside the tree')
})

test('a forked head is told, and both heads are shown', async () => {
  const signer = new Signer()
  const honest = makeLog({ signer, after: 10 })
  const store = memoryStore()
  await connect(honest, { store }).database.check(module, right)
  store.answers.clear()
  const [known] = [store.head?.toString() ?? '']
  for (const after of [10, 500]) {
    const fork = makeLog({ signer, after, h1: right, filler: 'forked' })
    const error = await connect(fork, { store })
      .database.check(module, right)
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'MODULE_UNVERIFIED',
      message: expect.stringContaining('contradicts') as unknown,
    })
    expect((error as { details: string[] }).details.join('\n')).toContain(known.split('\n')[2])
    expect(store.head?.toString()).toBe(known)
    expect(store.answers.size).toBe(0)
  }
})

test('a log that was rolled back to swap a record is refused, as small as it may be', async () => {
  const signer = new Signer()
  const store = memoryStore()
  await connect(makeLog({ signer }), { store }).database.check(module, right)
  store.answers.clear()
  const rolledBack = makeLog({ signer, before: 200, after: 0, h1: forged })
  const tiles = makeLog({ signer })
  const answer = (path: string) => (path.startsWith('tile/') ? tiles : rolledBack).answer(path)
  await expect(connect(rolledBack, { store, answer }).database.check(module, forged)).rejects.toThrow('contradicts')
})

test('a note that is not signed, signed wrongly, or by another is refused', async () => {
  const log = makeLog()
  const other = new Signer()
  const namesake = new Signer(log.signer.name)
  const resign = (make: (text: string) => Buffer) => (path: string) => {
    const answer = log.answer(path)
    if (answer === undefined || path.startsWith('tile/')) return answer
    const border = answer.lastIndexOf('\n\n')
    const begin = path === 'latest' ? 0 : answer.indexOf('\n\n') + 2
    return Buffer.concat([answer.subarray(0, begin), make(answer.subarray(begin, border + 1).toString())])
  }
  const cases: [(text: string) => Buffer, RegExp][] = [
    [(text) => Buffer.from(text), /no signatures|is not a record/],
    [(text) => Buffer.from(`${text}\n`), /no signatures|no signature/],
    [(text) => other.sign(text), /not signed by/],
    [(text) => namesake.sign(text), /not signed by/],
    [
      (text) =>
        Buffer.from(
          log.signer
            .sign(text)
            .toString()
            .replace(/.(?=.{20}==?\n$)/, (letter) => (letter === 'x' ? 'y' : 'x')),
        ),
      /not right|not signed/,
    ],
    [(text) => log.signer.sign(text.replace(/\d+/, '7')), /contradicts|not give the root|outside the tree/],
    [(text) => log.signer.sign(`x${text}`), /holds no tree/],
    [(text) => Buffer.concat([log.signer.sign(text), Buffer.from(`— a b\n`.repeat(120))]), /more than 100/],
  ]
  for (const [make, why] of cases) expect(await refusalOf(connect(log, { answer: resign(make) }))).toMatch(why)
  expect(await refusalOf(connect(log, { key: namesake.key }))).toContain('not signed by')
})

test('a second signer beside the right one does no harm', async () => {
  const log = makeLog()
  const witness = new Signer('witness.example.com')
  const answer = (path: string) => {
    const plain = log.answer(path)
    if (plain === undefined || !path.startsWith('lookup/')) return plain
    const text = log.head().toString().split('\n\n')[0] ?? ''
    const [, signature = ''] = witness.sign(`${text}\n`).toString().split('\n\n')
    return Buffer.concat([plain, Buffer.from(signature)])
  }
  await connect(log, { answer }).database.check(module, right)
})

test('what the database does not know is said to be so', async () => {
  const { database } = connect(makeLog())
  await expect(database.lookup({ path: 'example.com/none', version: 'v1.0.0' })).rejects.toMatchObject({
    code: 'MODULE_UNKNOWN',
  })
})

test('a head that another process stored meanwhile is reckoned with', async () => {
  const log = makeLog({ after: 10 })
  const store = memoryStore()
  store.head = log.head(100)
  let raced = false
  const racing: ChecksumStore = {
    readHead: () => store.readHead(),
    replaceHead(old, next) {
      if (!raced) store.head = log.head(200)
      raced = true
      return store.replaceHead(old, next)
    },
    readAnswer: (path) => store.readAnswer(path),
    writeAnswer: (path, content) => store.writeAnswer(path, content),
  }
  const database = new ChecksumDatabase({
    key: log.signer.key,
    store: racing,
    remote: (path) => Promise.resolve(log.answer(path)),
  })
  await database.check(module, right)
  expect(store.head).toEqual(log.head())
})

test('a key is read only if it is its own', () => {
  const { vkey } = new Signer()
  expect(parseVerifierKey(vkey)).toBeDefined()
  expect(parseVerifierKey('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8')?.name).toBe(
    'sum.golang.org',
  )
  for (const wrong of ['', 'sum.golang.org', vkey.replace('example', 'exbmple'), vkey.slice(0, -4), `${vkey}+x`])
    expect(parseVerifierKey(wrong)).toBeUndefined()
})

test('a mirror that was filled by a go command is enough: the head is that of another lookup', async () => {
  const log = makeLog({ after: 700 })
  const before = log.size
  log.fill(3000)
  log.add(module.path, 'v0.0.1-go1.27.4.linux-amd64', `${module.path} v0.0.1-go1.27.4.linux-amd64 ${forged}\n`)
  // The newest head's tiles alone, and no head by itself.
  const answer = (path: string) => {
    if (path === 'latest' || (/\.p\/\d+$/.test(path) && !isEdge(path, log.size))) return undefined
    return log.answer(path, path.endsWith('go1.26.8.linux-amd64') ? before : log.size)
  }
  const store = memoryStore()
  const remote = (path: string) => Promise.resolve(answer(path))
  const plain = new ChecksumDatabase({ key: log.signer.key, remote, store: memoryStore() })
  await expect(plain.check(module, right)).rejects.toMatchObject({ code: 'MODULE_UNAVAILABLE' })
  const siblings = () => Promise.resolve(['v0.0.1-go1.27.4.linux-amd64', 'v0.0.1-go1.99.linux-amd64'])
  await new ChecksumDatabase({ key: log.signer.key, remote, store, others: { siblings } }).check(module, right)
  const ofGo = () => Promise.resolve(log.head())
  await new ChecksumDatabase({ key: log.signer.key, remote, store: memoryStore(), others: { ofGo } }).check(
    module,
    right,
  )
})

function isEdge(path: string, size: number): boolean {
  return edgeTiles(size).some((tile) => tilePath(tile) === path)
}
