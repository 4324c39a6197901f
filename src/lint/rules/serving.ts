import { bracketed, lineAt } from '../go-text.ts'
import type { Remark, Rule } from '../rule.ts'
import { closureOf, type GoFile, isAside, isSideModule, packagesOf, type Tree, type TreePackage } from '../tree.ts'

/** Something here takes connections. */
export const listening =
  /\b(?:http\.ListenAndServe(?:TLS)?|net\.Listen|\.ListenAndServe(?:TLS)?|http\.Serve(?:TLS)?|grpc\.NewServer)\s*\(/

/** Something here speaks HTTP to whoever connects. */
const servingHttp = /\bhttp\.(?:ListenAndServe|ListenAndServeTLS|Serve|ServeTLS)\s*\(|\bhttp\.Server\s*\{/

/** How programs behave in production. */
export const servingRules: readonly Rule[] = [
  {
    id: 'init-listens',
    severity: 'hurts',
    title: 'An init() that listens or serves',
    why: 'It runs in every program and every test that imports the package, before main can say where, or whether.',
    remedy: 'Make it a function that main calls, with the address as its argument.',
    find: (tree) =>
      everyFile(tree).flatMap((file) =>
        Array.from(file.code.matchAll(/^func\s+init\s*\(\s*\)\s*\{/gm)).flatMap((match): Remark[] => {
          const body = bracketed(file.code, match.index + match[0].length - 1)
          const listens = /\b(?:http\.ListenAndServe(?:TLS)?|net\.Listen|http\.Serve)\s*\(/.exec(body)
          if (listens === null) return []
          return [
            {
              file: file.path,
              line: lineAt(file.code, match.index + match[0].length - 1 + listens.index),
              message: `${listens[0]}…)`,
            },
          ]
        }),
      ),
  },
  {
    id: 'pprof-exposed',
    severity: 'hurts',
    title: 'Profiles on the service’s own port',
    why: 'An import of net/http/pprof puts /debug/pprof on http.DefaultServeMux, which is served here to everybody: memory contents, command line, and load at will.',
    remedy: 'Serve a mux of your own, and the profiles on 127.0.0.1 by another server.',
    find: (tree) => {
      const packages = packagesOf(tree)
      return packages.flatMap((one) => {
        if (one.name !== 'main' || isAside(one.folder)) return []
        const all = closureOf(one, packages).flatMap(({ files }) => files)
        const importer = all.find(({ imports }) => imports.some(({ path }) => path === 'net/http/pprof'))
        if (importer === undefined) return []
        const isBlank = importer.imports.some(({ path, name }) => path === 'net/http/pprof' && name === '_')
        return all.flatMap((file) =>
          defaultMuxServed(file).map((line) => ({
            file: file.path,
            line,
            message: `serves http.DefaultServeMux; ${importer.path} imports net/http/pprof${isBlank ? '' : ', which registers there too'}`,
          })),
        )
      })
    },
  },
  {
    id: 'exit-in-library',
    severity: 'hurts',
    title: 'os.Exit outside of main',
    why: 'No deferred function runs: open requests are cut, buffers lost, files half written; and no caller nor test can handle it.',
    remedy: 'Return an error, and let main decide.',
    find: (tree) => callsInLibraries(tree, /\bos\.Exit\s*\(/g),
  },
  {
    id: 'fatal-in-library',
    severity: 'hurts',
    title: 'log.Fatal outside of main',
    why: 'It is os.Exit with a line before it: no deferred function runs, and a bad request can end the whole service.',
    remedy: 'Return an error, and let main decide.',
    find: (tree) => callsInLibraries(tree, /\blog\.Fatal(?:f|ln)?\s*\(/g),
  },
  {
    id: 'no-graceful-stop',
    severity: 'hurts',
    title: 'A server that does not mind SIGTERM',
    why: 'It dies at once: whoever is being answered gets a cut connection, at every release and every restart.',
    remedy:
      'ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt); when it is done, server.Shutdown within a deadline.',
    find: (tree) =>
      servers(tree).flatMap(({ main, files, at }) => {
        const minds = /\bsignal\.Notify(?:Context)?\s*\(|\.(?:Shutdown|GracefulStop)\s*\(/
        const helped = /^(?:github\.com\/oklog\/run|go\.uber\.org\/fx|github\.com\/(?:tylerb|facebookgo|cloudflare)\/(?:graceful|grace|tableflip)|.*\/(?:signals?|graceful|daemon|run|runutil|svc|service|server|cmd|app)(?:\/v[0-9]+)?)$/ // prettier-ignore
        if (
          files.some(
            ({ code, imports }) =>
              minds.test(code) || imports.some(({ path }) => helped.test(path) && !isOwn(path, main)),
          )
        )
          return []
        return [{ ...at, message: `${programName(main)} handles no signal` }]
      }),
  },
  {
    id: 'no-health-path',
    severity: 'note',
    title: 'An HTTP server without a health path',
    why: 'Nobody can tell one that works from one that only listens: traffic goes to it before it is ready, and while it is sick.',
    remedy: 'Answer GET /healthz with 200 once it can work, and name it in fairway.yaml: probe: { http: /healthz }.',
    find: (tree) =>
      servers(tree).flatMap(({ main, files, at }) => {
        if (!files.some(({ code }) => servingHttp.test(code))) return []
        const health =
          /["`/-](?:healthz?|healthcheck|health[-_]check|health-check|ready|readyz|readiness|live|livez|liveness|ping|status|alive|up|_health)(?:["`/?{ ]|$)|grpc_health_v1|heartbeat/im
        if (files.some(({ text }) => health.test(text))) return []
        return [{ ...at, message: `${programName(main)} names no such path` }]
      }),
  },
  {
    id: 'no-header-timeout',
    severity: 'hurts',
    title: 'An HTTP server that waits for headers without end',
    why: 'Whoever opens connections and sends nothing holds them, with a goroutine and a file descriptor each, until none is left.',
    remedy: '&http.Server{ReadHeaderTimeout: 5 * time.Second, …}; http.ListenAndServe has no way to set it.',
    find: (tree) =>
      everyFile(tree).flatMap((file): Remark[] => {
        if (isAside(file.folder)) return []
        const sets = /\.(?:ReadHeaderTimeout|ReadTimeout)\s*=/.test(file.code)
        const servers = Array.from(file.code.matchAll(/\bhttp\.Server\s*\{/g)).flatMap((match) => {
          const literal = bracketed(file.code, match.index + match[0].length - 1)
          // Served over TLS with HTTP/3 or handed on, it is another's; a test's is nobody's.
          if (sets || /\bRead(?:Header)?Timeout\s*:/.test(literal)) return []
          return [
            {
              file: file.path,
              line: lineAt(file.code, match.index),
              message: 'http.Server without ReadHeaderTimeout or ReadTimeout',
            },
          ]
        })
        const plain = Array.from(file.code.matchAll(/\bhttp\.ListenAndServe(?:TLS)?\s*\(/g)).flatMap((match) => {
          const first = file.text.slice(match.index + match[0].length, match.index + match[0].length + 40)
          if (/^\s*"(?:127\.|localhost|\[::1\])/.test(first)) return []
          return [
            {
              file: file.path,
              line: lineAt(file.code, match.index),
              message: `${match[0].replace(/\s*\($/, '')} has no timeouts`,
            },
          ]
        })
        return [...servers, ...plain]
      }),
  },
]

/** Built, and no test's. */
function everyFile(tree: Tree): GoFile[] {
  return packagesOf(tree)
    .filter(({ folder, module }) => !isAside(folder) && !isSideModule(module))
    .flatMap(({ files }) => files)
    .filter((file) => !isForTests(file))
}

/** 'testing.go' and the like: helpers of tests, exported for those of other packages. */
function isForTests({ imports }: GoFile): boolean {
  return imports.some(({ path }) => path === 'testing' || path === 'net/http/httptest')
}

/** Lines where a nil handler is served to more than this machine. */
function defaultMuxServed({ code, text }: GoFile): number[] {
  return Array.from(code.matchAll(/\bhttp\.(?:ListenAndServe|ListenAndServeTLS|Serve)\s*\(/g)).flatMap((match) => {
    const open = match.index + match[0].length - 1
    const length = bracketed(code, open).length
    const call = code.slice(open, open + length)
    const written = text.slice(open, open + length)
    if (!/,\s*(?:nil|http\.DefaultServeMux)\s*\)$/.test(call) || /["`](?:127\.|localhost|\[::1\])/.test(written))
      return []
    return [lineAt(code, match.index)]
  })
}

/** A package that programs alone import is a part of them: what it does is theirs to decide. */
function callsInLibraries(tree: Tree, pattern: RegExp): Remark[] {
  const packages = packagesOf(tree)
  const importers = new Map<string, TreePackage[]>()
  for (const one of packages) {
    for (const path of new Set(one.files.flatMap(({ imports }) => imports.map((each) => each.path)))) {
      importers.set(path, [...(importers.get(path) ?? []), one])
    }
  }
  return packages.flatMap((one) => {
    const own = importers.get(one.path) ?? []
    const isOfPrograms = own.length > 0 && own.every(({ name }) => name === 'main')
    if (one.name === 'main' || isOfPrograms || isAside(one.folder) || isCommandLine(one)) return []
    if (logger.test(one.path)) return []
    // Whoever handles the signals decides how the program ends.
    const files = one.files.filter((file) => !isForTests(file) && !/\bsignal\.Notify/.test(file.code))
    return files.flatMap((file) =>
      Array.from(file.code.matchAll(pattern)).flatMap((match): Remark[] => {
        // `log` may be a logger of one's own, with a Fatal of its own.
        if (
          match[0].startsWith('log.') &&
          !file.imports.some(({ path, name }) => path === 'log' && (name === '' || name === 'log'))
        )
          return []
        if (isDeliberate(file.code, match.index)) return []
        return [
          {
            file: file.path,
            line: lineAt(file.code, match.index),
            message: `${match[0].replace(/\s*\($/, '')} in package ${one.name}`,
          },
        ]
      }),
    )
  })
}

/** Loggers are asked to end the program by the name of their method: who calls it is another matter. */
const logger = /(?:^|\/)(?:k|z)?log(?:s|ger|gers|ging|util|utils|x)?$/

/** Commands are a program's, wherever they lie. */
function isCommandLine({ folder, files }: TreePackage): boolean {
  return folder.split('/').some((part) => /^(?:cmd|cmds|cli|command|commands|app)$/.test(part)) || files.some(({ imports }) => imports.some(({ path }) => /^github\.com\/(?:spf13\/cobra|urfave\/cli(?:\/v[0-9]+)?|alecthomas\/kong|alecthomas\/kingpin(?:\/v[0-9]+)?)$|^gopkg\.in\/alecthomas\/kingpin/.test(path))) // prettier-ignore
}

/** In a function whose name says that it ends the program, or of a test's main. */
function isDeliberate(code: string, index: number): boolean {
  const before = code.slice(0, index)
  if (/\bExitOnError\b/.test(before.slice(-200))) return true
  const header = Array.from(before.matchAll(/^func\s+(?:\([^)]*\)\s*)?(\w+)/gm)).at(-1)?.[1] ?? ''
  return /^(?:Main|Must\w*|must\w*)$|(?:test|exit|fatal|die|abort|terminate|usage|panic|kill|help|version)/i.test(
    header,
  )
}

/** Programs that take connections, with all their own code, and where they do. */
function servers(tree: Tree): { main: TreePackage; files: readonly GoFile[]; at: { file: string; line: number } }[] {
  const packages = packagesOf(tree)
  return packages.flatMap((main) => {
    if (
      main.name !== 'main' ||
      isAside(main.folder) ||
      isSideModule(main.module) ||
      main.folder.split('/').includes('internal')
    )
      return []
    const files = closureOf(main, packages).flatMap((one) => one.files)
    const server = files.find(
      ({ code, folder }) => (servingHttp.test(code) || /\bgrpc\.NewServer\s*\(/.test(code)) && !isAside(folder),
    )
    if (server === undefined) return []
    const at = server.code.search(servingHttp)
    const index = at < 0 ? server.code.search(/\bgrpc\.NewServer\s*\(/) : at
    return [{ main, files, at: { file: server.path, line: lineAt(server.code, index) } }]
  })
}

function isOwn(path: string, { module }: TreePackage): boolean {
  return path === module.path || path.startsWith(`${module.path}/`)
}

function programName({ folder, path }: TreePackage): string {
  return folder === '' ? path : `./${folder}`
}
