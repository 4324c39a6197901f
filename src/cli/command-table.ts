import { operationTable } from './generated/operations.ts'
import type { CommandOption, CommandSpec } from './command.ts'

const { up, rollback, scale, down, status, releases } = operationTable
const plan = { flags: '--plan', description: 'show what would be done, and do nothing' }
const wait = { flags: '--wait', description: 'wait for who is at work instead of refusing' }
const yes = { flags: '--yes', description: 'do not ask' }
const services = ['[SERVICE...]']
const change = () => import('./commands/change.ts')
const read = () => import('./commands/read.ts')
const mod = () => import('./commands/mod.ts')
const toolchain = () => import('./commands/toolchain.ts')
const cache = () => import('./commands/cache.ts')
const bundle = () => import('./commands/bundle.ts')
const server = () => import('./commands/server.ts')

/** A plain table: `--help`, completion and parsing are made of it; it imports no domain, so a plain command stays fast. */
export const commandTable: readonly CommandSpec[] = [
  {
    words: 'up',
    summary: up.summary,
    positionals: ['[SOURCE]'],
    options: [
      { flags: '--only <SERVICE>', description: 'of several services, this one alone' },
      { flags: '--target <TARGET>', description: 'for a control plane of another machine: linux/arm64' },
      wait,
      plan,
      yes,
    ],
    examples: [
      ['fairway up', 'the folder you stand in, to dev'],
      ['fairway up example.com/shop/cmd/web@latest', 'a main package of a module from elsewhere, at a version'],
      ['fairway up --env production --wait', 'to production, after whoever is at work there'],
      ['fairway up --plan', 'what would happen'],
    ],
    load: () => import('./commands/up.ts'),
  },
  {
    words: 'status',
    summary: status.summary,
    positionals: services,
    examples: [
      ['fairway status', 'every service of this project and environment'],
      ['fairway status --json', 'as data, with the addresses in force'],
    ],
    load: read,
  },
  {
    words: 'releases',
    summary: releases.summary,
    positionals: services,
    examples: [['fairway releases web', 'who released what, when, and how it went']],
    load: read,
  },
  {
    words: 'rollback',
    summary: rollback.summary,
    positionals: services,
    options: [{ flags: '--to <N>', description: rollback.options.to.description }, wait, plan, yes],
    examples: [
      ['fairway rollback', 'to the release that served before'],
      ['fairway rollback web --to 7', 'to release 7'],
    ],
    load: change,
  },
  {
    words: 'scale',
    summary: scale.summary,
    positionals: ['<N>', '[SERVICE...]'],
    options: [wait, plan, yes],
    examples: [['fairway scale 5 web', 'five instances of web, until fairway.yaml says something new']],
    load: change,
  },
  {
    words: 'down',
    summary: down.summary,
    positionals: services,
    options: [
      { flags: '--all', description: 'every project and environment of this home' },
      { flags: '--yes', description: 'do not ask' },
      wait,
      plan,
    ],
    examples: [
      ['fairway down', 'this project’s services in dev'],
      ['fairway down --all --yes', 'everything of this home'],
    ],
    load: change,
  },
  {
    words: 'logs',
    summary: 'What instances print',
    positionals: services,
    options: [
      { flags: '-f, --follow', description: 'go on as lines come' },
      { flags: '-n, --lines <N>', description: 'the last N lines of each instance (default: 100)' },
    ],
    examples: [['fairway logs -f web', 'follow web']],
    load: () => import('./commands/logs.ts'),
  },
  {
    words: 'run',
    summary: operationTable.run.summary,
    positionals: ['[SERVICE]', '[COMMAND...]'],
    examples: [['fairway run web -- ./web migrate', 'a job of the release that serves; exits with its status']],
    load: () => import('./commands/run.ts'),
  },
  {
    words: 'events',
    summary: 'Everything that happens, in order',
    options: [
      { flags: '-f, --follow', description: 'go on as they happen' },
      { flags: '-n, --lines <N>', description: 'the last N (default: 50)' },
    ],
    examples: [['fairway events -f', 'watch']],
    isBare: true,
    load: () => import('./commands/events.ts'),
  },
  {
    words: 'rollout show',
    summary: operationTable['rollout-show'].summary,
    positionals: services,
    examples: [['fairway rollout show web', 'its stages, its outcome and the evidence']],
    load: read,
  },
  {
    words: 'rollout abort',
    summary: operationTable['rollout-abort'].summary,
    positionals: services,
    examples: [['fairway rollout abort', 'back to the old release']],
    load: change,
  },
  {
    words: 'rollout promote',
    summary: operationTable['rollout-promote'].summary,
    positionals: services,
    examples: [['fairway rollout promote web', 'on to the next step']],
    load: change,
  },
  {
    words: 'config explain',
    summary: 'Which layer gives a key its value, and what it hides',
    positionals: ['<KEY>'],
    examples: [['fairway config explain DATABASE_URL --env production', 'each layer, file and line']],
    load: () => import('./commands/config.ts'),
  },
  {
    words: 'config check',
    summary: 'Undeclared, missing, ill-typed and unused keys',
    examples: [['fairway config check --env production', 'before anything is built']],
    load: () => import('./commands/config.ts'),
  },
  {
    words: 'config diff',
    summary: operationTable['config-diff'].summary,
    positionals: ['<RELEASE>', '<RELEASE>', '[SERVICE...]'],
    examples: [['fairway config diff 11 12', 'values, run specification and artifact; secrets masked']],
    load: () => import('./commands/config.ts'),
  },
  {
    words: 'secret set',
    summary: operationTable['secret-set'].summary,
    positionals: ['<KEY>'],
    examples: [
      ['fairway secret set DATABASE_URL < url.txt', 'the value comes from stdin, never from the command line'],
    ],
    load: () => import('./commands/secret.ts'),
  },
  {
    words: 'secret list',
    summary: operationTable['secret-list'].summary,
    examples: [['fairway secret list --env production', 'keys and versions; values are never shown']],
    load: () => import('./commands/secret.ts'),
  },
  {
    words: 'secret remove',
    summary: operationTable['secret-remove'].summary,
    positionals: ['<KEY>'],
    examples: [['fairway secret remove DATABASE_URL', 'releases that have it keep it']],
    load: () => import('./commands/secret.ts'),
  },
  {
    words: 'build',
    summary: 'Build without releasing',
    positionals: ['[SOURCE]'],
    options: [
      { flags: '--explain', description: 'say what is built and why, and how it starts' },
      { flags: '--only <SERVICE>', description: 'of several services, this one alone' },
      { flags: '--target <TARGETS>', description: 'for other machines: linux/arm64,linux/arm/v7 (default: this one)' },
      { flags: '--output <DIR>', description: 'write the binaries there, as SERVICE-OS-ARCH[-VARIANT]' },
    ],
    examples: [
      ['fairway build --explain', 'every choice, its reason, and the line that overrides it'],
      ['fairway build --target linux/amd64,linux/arm64 --output dist', 'a file for each'],
    ],
    load: () => import('./commands/build.ts'),
  },
  {
    words: 'image',
    summary: 'Build services into OCI images, and push them; no Docker is needed',
    positionals: services,
    options: [
      { flags: '--target <LIST>', description: 'linux/amd64,linux/arm64,… (default: this machine’s)' },
      {
        flags: '-o, --output <FILE>',
        description: 'where to write it, `-` for the standard output (default: SERVICE.tar, none with --push)',
      },
      {
        flags: '--tag <LIST>',
        description: '[REGISTRY/]NAME[:TAG], several by commas (default: PROJECT/SERVICE:latest)',
      },
      { flags: '--binary <FILE>', description: 'an executable that is built already, instead of building' },
      { flags: '--push', description: 'to the registry of each --tag, with the bill of materials beside it' },
      { flags: '--no-sbom', description: 'push no bill of materials' },
      { flags: '--port <N>', description: 'what the service listens on in a container (default: 8080)' },
      {
        flags: '--insecure-registry',
        description: 'speak to registries without TLS (those of this machine always are)',
      },
      plan,
    ],
    examples: [
      ['fairway image --output - | docker load', 'into a Docker engine'],
      ['fairway image --push --tag registry.example.com/shop/web:v1', 'straight to a registry'],
      ['fairway image --push --plan --tag registry.example.com/shop/{{service}}:v1', 'what would be sent'],
      ['fairway image --target linux/amd64,linux/arm64', 'one image for two platforms'],
    ],
    load: () => import('./commands/image.ts'),
  },
  {
    words: 'sbom',
    summary: 'What a built service consists of: a bill of materials',
    positionals: ['[SERVICE]'],
    options: [
      { flags: '--format <FORMAT>', description: 'cyclonedx (1.6) or spdx (2.3) (default: cyclonedx)' },
      { flags: '-o, --output <FILE>', description: 'a file instead of the standard output' },
    ],
    examples: [
      ['fairway sbom web > web.cdx.json', 'CycloneDX'],
      ['fairway sbom web --format spdx --output web.spdx.json', 'SPDX'],
    ],
    load: () => import('./commands/sbom.ts'),
  },
  {
    words: 'check',
    summary: 'Test, vet, measure coverage, look for vulnerabilities',
    positionals: ['[PACKAGE...]'],
    options: [
      { flags: '--race', description: 'with the race detector' },
      { flags: '--coverage-min <PERCENT>', description: 'less of all statements fails the check' },
      { flags: '--retries <N>', description: 'how often a failed test is tried again (default: 1)' },
      { flags: '--timeout <DURATION>', description: 'for the tests of one package (default: 10m)' },
      { flags: '--junit <FILE>', description: 'write the results as JUnit XML too' },
      { flags: '--vuln <WHEN>', description: 'required, wanted or off (default: wanted; with PACKAGE: off)' },
      { flags: '--vuln-db <URL>', description: 'the Go vulnerability database: file:///… or http…' },
      { flags: '--install-govulncheck', description: 'install it into the home where there is none' },
    ],
    examples: [
      ['fairway check', 'everything, in every module of the project'],
      ['fairway check ./cart/... --race', 'some packages, with the race detector'],
      ['fairway check --json --junit report.xml --vuln required', 'in CI'],
    ],
    load: () => import('./commands/check.ts'),
  },
  {
    words: 'mod outdated',
    summary: 'Modules with a newer version, retracted or deprecated ones',
    options: [{ flags: '--all', description: 'also those of the graph that nothing here is built of' }],
    examples: [['fairway mod outdated', 'direct ones first']],
    load: mod,
  },
  {
    words: 'mod why',
    summary: 'Why a module is here: the shortest way to it',
    positionals: ['<MODULE>'],
    examples: [['fairway mod why golang.org/x/text', 'from a main package, import by import']],
    load: mod,
  },
  {
    words: 'mod diff',
    summary: operationTable['module-diff'].summary,
    positionals: ['<RELEASE>', '<RELEASE>', '[SERVICE...]'],
    examples: [['fairway mod diff 11 12', 'what came, went or changed its version']],
    load: mod,
  },
  {
    words: 'mod tidy',
    summary: 'What go mod tidy would change, without changing it',
    examples: [['fairway mod tidy', 'as a diff of go.mod and go.sum']],
    load: mod,
  },
  {
    words: 'mod replace',
    summary: 'Replace lines, and which of them break elsewhere',
    examples: [['fairway mod replace', 'those that lead out of the repository first']],
    load: mod,
  },
  {
    words: 'mod licences',
    summary: 'Licences of the modules linked into each binary',
    examples: [['fairway mod licences --json', 'SPDX identifiers; what is not known is said']],
    load: mod,
  },
  {
    words: 'lint layout',
    summary: 'What in a tree will hurt, why, and what to do',
    options: [{ flags: '--strict', description: 'fail where something breaks or hurts' }],
    examples: [
      ['fairway lint layout', 'reasons, not taste: docs/lint.md lists the rules'],
      ['fairway lint layout --project ../shop --json', 'another tree, as data'],
    ],
    load: () => import('./commands/lint.ts'),
  },
  {
    words: 'verify',
    summary: 'Build again, elsewhere, and compare with what was released',
    positionals: ['[WHAT...]'],
    examples: [
      ['fairway verify', 'every service, against its last build'],
      ['fairway verify web 12', 'web, and release 12 of each service'],
    ],
    load: () => import('./commands/verify.ts'),
  },
  {
    words: 'init',
    summary: 'Begin a project, or add a service to one',
    positionals: ['[FOLDER]'],
    options: [
      { flags: '--module <PATH>', description: 'the module’s path (default: where git says the repository is)' },
      {
        flags: '--service <NAMES>',
        description: 'services that answer HTTP (default of a new project: web); with --detect, of which to write down',
      },
      { flags: '--worker <NAMES>', description: 'services that work in the background' },
      { flags: '--detect', description: 'of a project that is there: write down in fairway.yaml what is detected' },
      plan,
    ],
    examples: [
      ['fairway init shop --module github.com/acme/shop', 'a new project with a service, web'],
      ['fairway init --service api,admin --worker mailer', 'three services, in the folder you stand in'],
      ['fairway init --detect', 'adds lines to fairway.yaml and shows them; what stands there stays'],
      ['fairway init --detect --service api', 'the lines of that service alone'],
    ],
    isBare: true,
    load: () => import('./commands/init.ts'),
  },
  {
    words: 'cache status',
    summary: 'What the module proxy keeps, and what it did',
    examples: [['fairway cache status --json', 'sizes, pins, hits and misses, as data']],
    isBare: true,
    load: cache,
  },
  {
    words: 'cache verify',
    summary: 'Read every stored module again, and name what is not as it should be',
    options: [{ flags: '--repair', description: 'remove what is not: it is fetched again when somebody asks' }],
    examples: [['fairway cache verify --repair', 'after a disk fault']],
    isBare: true,
    load: cache,
  },
  {
    words: 'cache prune',
    summary: 'Remove stored modules that no kept release needs, the longest unused first',
    options: [{ flags: '--to <SIZE>', description: 'until so much is left (default: the quota)' }, plan],
    examples: [['fairway cache prune --to 5Gi', 'what releases need stays, also above it']],
    isBare: true,
    load: cache,
  },
  {
    words: 'bundle export',
    summary: 'Write all that a build needs into one file, for a machine without a network',
    positionals: ['<FILE>', '[SERVICE]'],
    options: [
      { flags: '--release <N>', description: 'of this release; without it and a service: of the folder as it is' },
    ],
    examples: [
      ['fairway bundle export shop.bundle', 'toolchain, modules and their proofs, for the folder you stand in'],
      ['fairway bundle export web-12.bundle web --release 12', 'for building release 12 again'],
    ],
    load: bundle,
  },
  {
    words: 'bundle import',
    summary: 'Take a bundle into this home, verified',
    positionals: ['<FILE>'],
    examples: [['fairway bundle import shop.bundle', 'then `fairway build` works without a network']],
    isBare: true,
    load: bundle,
  },
  {
    words: 'toolchain list',
    summary: 'The Go toolchains of this machine and of this home',
    options: [{ flags: '--remote', description: 'those too that the module source lists' }],
    examples: [
      ['fairway toolchain list', 'what is here, and what is out of support'],
      ['fairway toolchain list --remote', 'and what could be'],
    ],
    load: toolchain,
  },
  {
    words: 'toolchain install',
    summary: 'Fetch a Go toolchain, verified',
    positionals: ['<VERSION>'],
    examples: [
      ['fairway toolchain install 1.26.8', 'exactly this one'],
      ['fairway toolchain install 1.26', 'the newest patch of this line; latest: of the newest'],
    ],
    isBare: true,
    load: toolchain,
  },
  {
    words: 'toolchain use',
    summary: 'Use one Go for every project it is new enough for',
    positionals: ['<VERSION>'],
    examples: [
      ['fairway toolchain use 1.26.8', 'fetched first where it is not here; a project’s `go: { version }` wins'],
      ['fairway toolchain use none', 'each project’s own files say which Go'],
    ],
    isBare: true,
    load: toolchain,
  },
  {
    words: 'toolchain prune',
    summary: 'Remove toolchains that a newer patch replaced, or that nobody uses',
    options: [plan],
    examples: [['fairway toolchain prune --plan', 'what would go']],
    isBare: true,
    load: toolchain,
  },
  {
    words: 'toolchain verify',
    summary: 'Hold installed toolchains against the checksum database',
    positionals: ['[VERSION]'],
    examples: [
      ['fairway toolchain verify', 'each one here, the machine’s own too'],
      ['fairway toolchain verify 1.26.8', 'this one'],
    ],
    isBare: true,
    load: toolchain,
  },
  {
    words: 'schema',
    summary: 'The JSON Schema of fairway.yaml, for your editor',
    examples: [['fairway schema > fairway.schema.json', 'then: # yaml-language-server: $schema=fairway.schema.json']],
    isBare: true,
    load: () => import('./commands/schema.ts'),
  },
  {
    words: 'doctor',
    summary: 'Check the machine and say what to do',
    examples: [['fairway doctor', 'everything Fairway needs, and what is missing']],
    isBare: true,
    load: () => import('./commands/doctor.ts'),
  },
  {
    words: 'completion',
    summary: 'Print the completion of a shell',
    positionals: ['<SHELL>'],
    examples: [
      ['source <(fairway completion bash)', 'bash'],
      ['fairway completion zsh > "${fpath[1]}/_fairway"', 'zsh'],
      ['fairway completion fish | source', 'fish'],
    ],
    isBare: true,
    load: () => import('./commands/completion.ts'),
  },
  {
    words: 'server run',
    summary: 'Run the control plane here, until it is ended',
    examples: [['fairway server run', 'in a terminal, or under a supervisor of your own']],
    isBare: true,
    load: server,
  },
  {
    words: 'server start',
    summary: 'Start the control plane in the background',
    examples: [['fairway server start', '`fairway up` does it by itself']],
    isBare: true,
    load: server,
  },
  {
    words: 'server stop',
    summary: 'End the control plane; instances and gateway serve on',
    examples: [['fairway server stop', '`fairway down --all` ends what serves']],
    isBare: true,
    load: server,
  },
  {
    words: 'server status',
    summary: 'Whether the control plane runs, where, and which version',
    examples: [['fairway server status --json', 'as data']],
    isBare: true,
    load: server,
  },
  {
    words: 'server install',
    summary: 'Start the control plane at boot',
    options: [{ flags: '--print', description: 'print what would be written' }],
    examples: [
      ['sudo fairway server install', 'writes a systemd unit, or prints the crontab line where there is none'],
    ],
    isBare: true,
    load: server,
  },
  {
    words: 'server token',
    summary: 'Print the token for access by address',
    examples: [['fairway server token', 'for FAIRWAY_TOKEN of another machine']],
    isBare: true,
    load: server,
  },
  {
    words: 'server backup',
    summary: 'Save state, keys and artifacts to a file',
    positionals: ['<FILE>'],
    examples: [['fairway server backup fairway.backup.tar.gz', 'consistent, also while it serves']],
    isBare: true,
    load: server,
  },
  {
    words: 'server restore',
    summary: 'Bring a backup into this home',
    positionals: ['<FILE>'],
    options: [yes],
    examples: [['fairway server restore fairway.backup.tar.gz --home /srv/fairway', 'the control plane must not run']],
    isBare: true,
    load: server,
  },
]

export const globalOptions: readonly CommandOption[] = [
  { flags: '--env <ENV>', description: 'the environment (default: dev)' },
  {
    flags: '--project <DIR>',
    description:
      'the project’s folder, or the name of one that was released (default: the nearest folder above with fairway.yaml or go.mod)',
  },
  { flags: '--home <DIR>', description: 'where Fairway keeps everything (or FAIRWAY_HOME)' },
  { flags: '--server <URL>', description: 'a control plane elsewhere (or FAIRWAY_SERVER)' },
  { flags: '--token-file <FILE>', description: 'its token (or FAIRWAY_TOKEN)' },
  { flags: '--json', description: 'every line an event, the last one the result' },
  { flags: '--plain', description: 'append-only lines, as in a pipe' },
]
