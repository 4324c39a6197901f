/**
 * What a licence's text says, in words alone: lower case, without punctuation, copyright lines left out. `*` stands for up to twelve
 * words (a holder's name). Whole texts for the short ones, so that one changed clause is another licence; of the long ones, the parts that tell
 * them and their versions apart, in order.
 * @see https://spdx.org/licenses/
 */
interface LicenceText {
  readonly id: string
  /** All of them, one after the other, with anything between. */
  readonly parts: readonly string[]
}

const bsdHead =
  'redistribution and use in source and binary forms with or without modification are permitted provided that the following conditions are met'
const bsdSource =
  'redistributions of source code must retain the above copyright notice this list of conditions and the following disclaimer'
const bsdBinary =
  'redistributions in binary form must reproduce the above copyright notice this list of conditions and the following disclaimer in the documentation and or other materials provided with the distribution'
const bsdNames =
  'may be used to endorse or promote products derived from this software without specific prior written permission'
const bsdEnd = 'this software is provided by * as is and any express or implied warranties'
const mitGrant =
  'permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files the software to deal in the software without restriction including without limitation the rights to use copy modify merge publish distribute sublicense and or sell copies of the software and to permit persons to whom the software is furnished to do so'
const mitNotice =
  'the above copyright notice and this permission notice shall be included in all copies or substantial portions of the software'
const mitEnd = 'the software is provided as is without warranty of any kind express or implied'
const iscGrant =
  'permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted'
const gpl = (name: string, version: string) => `${name} general public license version ${version}`

/** The first that matches is it: what holds another's text stands before that one. */
export const licenceTexts: readonly LicenceText[] = [
  { id: 'MIT', parts: [`${mitGrant} subject to the following conditions`, mitNotice, mitEnd] },
  { id: 'MIT-0', parts: [`${mitGrant} ${mitEnd}`] },
  { id: 'BSD-4-Clause', parts: [bsdHead, bsdSource, bsdBinary, 'all advertising materials mentioning features or use of this software must display', bsdNames, bsdEnd] },
  { id: 'BSD-3-Clause', parts: [bsdHead, bsdSource, bsdBinary, bsdNames, bsdEnd] },
  { id: 'BSD-2-Clause', parts: [bsdHead, bsdSource, bsdBinary, bsdEnd] },
  { id: 'ISC', parts: [`${iscGrant} provided that the above copyright notice and this permission notice appear in all copies`, 'the software is provided as is and * disclaims all warranties'] },
  { id: '0BSD', parts: [`${iscGrant} the software is provided as is and * disclaims all warranties`] },
  { id: 'Apache-2.0', parts: ['apache license version 2 0 january 2004', 'terms and conditions for use reproduction and distribution', '1 definitions', '2 grant of copyright license', '3 grant of patent license', '4 redistribution', '7 disclaimer of warranty', '8 limitation of liability'] },
  { id: 'MPL-2.0', parts: ['mozilla public license version 2 0', '1 definitions', '2 license grants and conditions', '3 responsibilities', '6 disclaimer of warranty', '10 versions of the license'] },
  { id: 'AGPL-3.0', parts: [gpl('gnu affero', '3 19 november 2007'), 'terms and conditions', '13 remote network interaction', '15 disclaimer of warranty'] },
  { id: 'LGPL-3.0', parts: [gpl('gnu lesser', '3 29 june 2007'), '0 additional definitions', '4 combined works'] },
  { id: 'LGPL-2.1', parts: ['gnu lesser general public license version 2 1 february 1999', 'preamble', '6 as an exception to the sections above', 'no warranty'] },
  { id: 'GPL-3.0', parts: [gpl('gnu', '3 29 june 2007'), 'preamble', 'terms and conditions', '15 disclaimer of warranty'] },
  { id: 'GPL-2.0', parts: [gpl('gnu', '2 june 1991'), 'preamble', 'terms and conditions for copying distribution and modification', 'no warranty'] },
  { id: 'EPL-2.0', parts: ['eclipse public license v 2 0', '1 definitions', '2 grant of rights', '5 no warranty'] },
  { id: 'Unlicense', parts: ['this is free and unencumbered software released into the public domain', 'in jurisdictions that recognize copyright laws the author or authors of this software dedicate', 'the software is provided as is without warranty of any kind'] },
  { id: 'CC0-1.0', parts: ['cc0 1 0 universal', 'statement of purpose', '2 waiver', '3 public license fallback'] },
  { id: 'CC-BY-SA-4.0', parts: ['attribution sharealike 4 0 international', 'section 1 definitions', 'section 2 scope', 'section 5 disclaimer of warranties'] },
  { id: 'Zlib', parts: ['this software is provided as is without any express or implied warranty', 'altered source versions must be plainly marked as such', 'this notice may not be removed or altered from any source distribution'] },
  { id: 'BSL-1.0', parts: ['boost software license version 1 0 august 17th 2003', 'permission is hereby granted free of charge', 'must be included in all copies of the software'] },
  { id: 'WTFPL', parts: ['do what the fuck you want to public license', 'you just do what the fuck you want to'] },
] // prettier-ignore

/** What restricts an open licence is another licence, whatever it stands in. */
export const restrictions: readonly (readonly [string, string])[] = [
  ['Commons Clause', 'commons clause'],
  ['SSPL', 'server side public license'],
  ['BUSL', 'business source license'],
  ['Elastic', 'elastic license'],
]
