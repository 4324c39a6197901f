import { expect, test } from 'vitest'
import { findClues } from './sources.ts'

test('variables by Getenv, tags, viper and envconfig prefixes', () => {
  const text = `
    os.Getenv("SHOP_PORT")
    // os.Getenv("COMMENTED_PORT")
    type Config struct { Address string \`env:"LISTEN_ADDR"\` }
    viper.SetEnvPrefix("shop")
    os.Getenv("DATABASE_URL")`
  const { listenVariables, reads } = findClues([{ file: 'main.go', text }])
  expect(listenVariables).toEqual(expect.arrayContaining(['SHOP_PORT', 'LISTEN_ADDR', 'SHOP_HTTP_ADDR']))
  expect(listenVariables).not.toContain('COMMENTED_PORT')
  expect(listenVariables).not.toContain('DATABASE_URL')
  expect(reads).toEqual(['SHOP_PORT', 'LISTEN_ADDR', 'DATABASE_URL'])
})

test('flags with their defaults, and those that name a place', () => {
  const text =
    'fs.Int("port", 9898, "port")\nfs.StringP("ui-path", "u", "./ui", "UI")\nflag.StringVar(&addr, "addr", ":80", "")'
  const { flags, paths } = findClues([{ file: 'main.go', text }])
  expect(flags).toEqual([
    { name: 'port', fallback: '9898' },
    { name: 'ui-path', fallback: './ui' },
    { name: 'addr', fallback: ':80' },
  ])
  expect(paths).toEqual([{ path: 'ui', where: 'main.go: the default of ui-path' }])
})

test('files it opens by a relative name, with the line', () => {
  const text =
    'package main\nvar t = template.Must(template.ParseGlob("./templates/*.html"))\nhttp.FileServer(http.Dir("static"))\nos.ReadFile("/etc/hosts")\nos.Open("../x")'
  expect(findClues([{ file: 'main.go', text }]).paths).toEqual([
    { path: 'templates/*.html', where: 'main.go:2: ParseGlob' },
    { path: 'static', where: 'main.go:3: http.Dir' },
  ])
})
