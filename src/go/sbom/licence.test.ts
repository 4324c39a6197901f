import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isLicenceFile, recogniseLicences } from './licence.ts'

const mit = `MIT License

Copyright (c) 2015 Ada Lovelace

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.`

const bsd = `Copyright 2009 The Authors.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:
   * Redistributions of source code must retain the above copyright notice.
   * Redistributions in binary form must reproduce the above copyright notice.`

const endorse = `   * Neither the name of the authors nor the names of its contributors may be
used to endorse or promote products derived from this software without permission.`

test.each([
  ['MIT', mit],
  ['MIT, set otherwise', mit.toUpperCase().replaceAll(/\s+/g, ' ')],
  ['MIT, as a comment', mit.replaceAll(/^/gm, '// ')],
])('%s', (_, text) => expect(recogniseLicences(text)).toEqual(['MIT']))

test('the clauses decide which BSD it is', () => {
  expect(recogniseLicences(bsd)).toEqual(['BSD-2-Clause'])
  expect(recogniseLicences(`${bsd}\n${endorse}`)).toEqual(['BSD-3-Clause'])
  expect(recogniseLicences(`${bsd}\nAll advertising materials mentioning features of this\n${endorse}`)).toEqual([
    'BSD-4-Clause',
  ])
})

test('without the condition on the notice it is MIT-0; with one on the name, X11', () => {
  expect(recogniseLicences(mit.split('The above')[0] ?? '')).toEqual(['MIT-0'])
  expect(recogniseLicences(`${mit}\nExcept as contained in this notice, the name of X shall not be used`)).toEqual([
    'X11',
  ])
})

test('two texts in one file are two licences', () => {
  const apache = 'Apache License\n                           Version 2.0, January 2004\n'
  expect(recogniseLicences(`${mit}\n\n${apache}`)).toEqual(['Apache-2.0', 'MIT'])
})

test('of GNU’s, which name one another, the title counts', () => {
  const rest = 'This version of the GNU Lesser General Public License incorporates GNU General Public License version 3'
  expect(recogniseLicences(`GNU LESSER GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007\n${rest}`)).toEqual([
    'LGPL-3.0-only',
  ])
  expect(recogniseLicences(`  GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007`)).toEqual([
    'AGPL-3.0-only',
  ])
  expect(recogniseLicences('GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991')).toEqual(['GPL-2.0-only'])
})

test('what is not known is not guessed', () => {
  expect(recogniseLicences('All rights reserved.')).toEqual([])
  fc.assert(
    fc.property(fc.lorem({ maxCount: 200 }), (text) => {
      expect(recogniseLicences(text)).toEqual([])
    }),
  )
})

test('files are known by the names they have', () => {
  for (const name of ['LICENSE', 'LICENCE.md', 'LICENSE-MIT', 'license.txt', 'COPYING', 'UNLICENSE', 'LICENSE.libyaml'])
    expect(isLicenceFile(name)).toBe(true)
  for (const name of ['license.go', 'LICENSES', 'licence_test.go', 'README.md']) expect(isLicenceFile(name)).toBe(false)
})
