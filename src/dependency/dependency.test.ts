import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { recognizeLicence } from './licence.ts'
import { outdatedModules } from './outdated.ts'
import { judgeReplace, parseReplaceLines } from './replace.ts'
import { shortestImport, shortestRequirement } from './why.ts'

const mit = `MIT License

Copyright (c) 2026 Ada

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY.
`
const bsd = `Copyright (c) 2009 The Go Authors. All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are
met:

   * Redistributions of source code must retain the above copyright
notice, this list of conditions and the following disclaimer.
   * Redistributions in binary form must reproduce the above
copyright notice, this list of conditions and the following disclaimer
in the documentation and/or other materials provided with the
distribution.
NAMES
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS
"AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED.
`
const names = `   * Neither the name of Google Inc. nor the names of its
contributors may be used to endorse or promote products derived from
this software without specific prior written permission.
`

test('a licence is known by its words, however they are set', () => {
  expect(recognizeLicence(mit).ids).toEqual(['MIT'])
  expect(recognizeLicence(mit.replaceAll('\n', '\r\n// ').toUpperCase()).ids).toEqual(['MIT'])
  expect(recognizeLicence(bsd.replace('NAMES', names)).ids).toEqual(['BSD-3-Clause'])
  expect(recognizeLicence(bsd.replace('NAMES', '')).ids).toEqual(['BSD-2-Clause'])
  expect(recognizeLicence(`${bsd.replace('NAMES', names)}\n----\n${mit}\n${mit}`).ids.toSorted()).toEqual([
    'BSD-3-Clause',
    'MIT',
  ])
})

test('a changed clause, a mere name or anything else is not known; what restricts is said', () => {
  expect(recognizeLicence(mit.replace('free of charge', 'for a fee')).ids).toEqual([])
  expect(recognizeLicence(mit.replace('subject to', 'but for evil, and subject to')).ids).toEqual([])
  expect(recognizeLicence('MIT').ids).toEqual([])
  expect(recognizeLicence('Licensed under the Apache License, Version 2.0').ids).toEqual([])
  expect(recognizeLicence(`"Commons Clause" License Condition v1.0\n${mit}`)).toEqual({
    ids: ['MIT'],
    restrictions: ['Commons Clause'],
  })
  fc.assert(fc.property(fc.string(), (text) => recognizeLicence(text).ids.length === 0))
})

test('replace lines are read alone and in blocks, with their place', () => {
  const text = [
    'module e.x/a',
    'replace e.x/b => ../b // beside',
    'replace (',
    '\t"e.x/c" v1.2.3 => `./c d`',
    '\t// e.x/no => ./no',
    '\te.x/d => e.x/fork v1.0.1',
    ')',
    'require e.x/z v1.0.0',
  ].join('\n')
  expect(parseReplaceLines(text)).toEqual([
    { module: 'e.x/b', target: '../b', line: 2 },
    { module: 'e.x/c', version: 'v1.2.3', target: './c d', line: 4 },
    { module: 'e.x/d', target: 'e.x/fork', targetVersion: 'v1.0.1', line: 6 },
  ])
  fc.assert(fc.property(fc.string(), (any) => void parseReplaceLines(any)))
})

test('a replace is judged by where it leads', () => {
  const judge = (target: string, file = '/repo/app/go.mod') => {
    const { kind, isMissing, why } = judgeReplace(
      { module: 'e.x/b', target, line: 1 },
      { file, projectFolder: '/repo/app', repository: '/repo', exists: (folder) => folder !== '/repo/gone' },
    )
    return `${kind}${isMissing ? ' missing' : ''}: ${why}`
  }
  expect(judge('../lib')).toMatch(/^inside: Whoever requires this module/)
  expect(judge('../../lib')).toMatch(/^elsewhere: It leads out of the repository/)
  expect(judge('/home/ada/lib')).toMatch(/^elsewhere: A path of this machine/)
  expect(judge('../gone')).toMatch(/^inside missing: The folder is not there/)
  expect(judge('e.x/fork')).toMatch(/^module: /)
  expect(judge('./lib', '/repo/go.work')).toBe('inside: Holds in this workspace alone.')
})

test('outdated: direct ones first, then what is built of; one that could not be asked does not hide the others', () => {
  const modules = outdatedModules(
    [
      { Path: 'e.x/main', Main: true },
      { Path: 'e.x/z', Version: 'v1.0.0', Indirect: true, Update: { Path: 'e.x/z', Version: 'v1.1.0' } },
      { Path: 'e.x/used', Version: 'v1.0.0', Indirect: true, Deprecated: 'use e.x/other' },
      {
        Path: 'e.x/direct',
        Version: 'v1.0.0',
        Retracted: ['leaks'],
        Update: { Path: 'e.x/direct', Version: 'v1.0.1', Time: '2026-01-02T00:00:00Z' },
      },
      { Path: 'e.x/forbidden', Version: 'v1.0.0', Error: { Err: '403 Forbidden\nmore' } },
      { Path: 'e.x/fine', Version: 'v1.0.0' },
    ],
    new Set(['e.x/used', 'e.x/direct']),
  )
  expect(modules.map(({ path }) => path)).toEqual(['e.x/direct', 'e.x/forbidden', 'e.x/used', 'e.x/z'])
  expect(modules[0]).toEqual({
    path: 'e.x/direct',
    version: 'v1.0.0',
    newest: 'v1.0.1',
    newestAt: '2026-01-02T00:00:00Z',
    isDirect: true,
    isUsed: true,
    retracted: 'leaks',
  })
  expect(modules[1]?.unknown).toBe('403 Forbidden')
})

test('the way to a module is the shortest from a main package, else from another of its own', () => {
  const own = { Path: 'e.x/shop', Main: true }
  const packages = [
    { ImportPath: 'e.x/shop', Name: 'main', Module: own, Imports: ['e.x/shop/a', 'fmt'] },
    { ImportPath: 'e.x/shop/a', Name: 'a', Module: own, Imports: ['e.x/shop/b'] },
    { ImportPath: 'e.x/shop/b', Name: 'b', Module: own, Imports: ['e.x/lib/deep'] },
    { ImportPath: 'e.x/shop/side', Name: 'side', Module: own, Imports: ['e.x/lib/deep', 'e.x/only'] },
    { ImportPath: 'e.x/lib/deep', Name: 'deep', Module: { Path: 'e.x/lib' } },
    { ImportPath: 'e.x/only', Name: 'only', Module: { Path: 'e.x/only' } },
  ]
  expect(shortestImport(packages, 'e.x/lib')).toEqual(['e.x/shop', 'e.x/shop/a', 'e.x/shop/b', 'e.x/lib/deep'])
  expect(shortestImport(packages, 'e.x/only')).toEqual(['e.x/shop/side', 'e.x/only'])
  expect(shortestImport(packages, 'e.x/absent')).toBeUndefined()
  const graph = 'e.x/shop go@1.21\ne.x/shop e.x/a@v1.0.0\ne.x/a@v1.0.0 e.x/b@v1.0.0\ne.x/b@v1.0.0 e.x/a@v1.0.0\n'
  expect(shortestRequirement(graph, 'e.x/b')).toEqual(['e.x/shop', 'e.x/a@v1.0.0', 'e.x/b@v1.0.0'])
  expect(shortestRequirement(graph, 'e.x/c')).toBeUndefined()
})
