/**
 * Licences by the sentences that nothing else has, as they read without case, punctuation and line breaks. What is not
 * recognised for certain is not guessed at.
 */
const byContent: readonly (readonly [id: string, ...sentences: (string | RegExp)[]])[] = [
  ['Apache-2.0', /apache license version 2 0 january 2004|licensed under the apache license version 2 0/],
  ['MIT', 'permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files', 'the above copyright notice and this permission notice', /^(?!.*except as contained in this notice the name)/],
  ['X11', 'permission is hereby granted free of charge to any person obtaining a copy of this software', 'except as contained in this notice the name'],
  ['MIT-0', 'permission is hereby granted free of charge to any person obtaining a copy of this software', /^(?!.*the above copyright notice and this permission notice)/],
  ['BSD-4-Clause', 'redistributions in binary form must reproduce', 'all advertising materials mentioning features'],
  ['BSD-3-Clause', 'redistributions in binary form must reproduce', /used to endorse or promote products derived from/, /^(?!.*all advertising materials)/],
  ['BSD-2-Clause', 'redistributions in binary form must reproduce', 'redistributions of source code must retain', /^(?!.*used to endorse or promote)/],
  ['ISC', /permission to use copy modify and (?:or )?distribute this software for any purpose with or without fee is hereby granted provided that the above copyright notice and this permission notice appear/],
  ['0BSD', /permission to use copy modify and (?:or )?distribute this software for any purpose with or without fee is hereby granted the software/],
  ['MPL-2.0', /mozilla public license version 2 0/],
  ['Unlicense', 'this is free and unencumbered software released into the public domain'],
  ['BSL-1.0', 'boost software license version 1 0'],
  ['Zlib', 'this software is provided as is without any express or implied warranty', 'altered source versions must be plainly marked as such'],
  ['CC0-1.0', 'cc0 1 0 universal', 'statement of purpose'],
  ['WTFPL', 'do what the fuck you want to public license'],
] // prettier-ignore

/** These name each other in their texts: only the title counts. Which later versions may be chosen is not said in the file. */
const byTitle: readonly (readonly [id: string, title: RegExp])[] = [
  ['AGPL-3.0-only', /^\W*gnu affero general public license version 3/],
  ['LGPL-3.0-only', /^\W*gnu lesser general public license version 3/],
  ['LGPL-2.1-only', /^\W*gnu lesser general public license version 2 1/],
  ['GPL-3.0-only', /^\W*gnu general public license version 3/],
  ['GPL-2.0-only', /^\W*gnu general public license version 2/],
  ['EPL-2.0', /^\W*eclipse public license v 2 0/],
]

/**
 * @param text of a LICENSE file
 * @returns SPDX identifiers, sorted: several where the file holds several licences, none where it holds none we know
 */
export function recogniseLicences(text: string): string[] {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, ' ')
    .trim()
  const titled = byTitle.find(([, title]) => title.test(plain))
  if (titled !== undefined) return [titled[0]]
  return byContent
    .filter(([, ...sentences]) =>
      sentences.every((one) => (typeof one === 'string' ? plain.includes(one) : one.test(plain))),
    )
    .map(([id]) => id)
    .toSorted()
}

/** The names such files have, by custom. */
export function isLicenceFile(name: string): boolean {
  return /^(?:LICEN[CS]E|COPYING|UNLICENSE)(?:[-.].*)?$/i.test(name) && !/\.(?:go|html?|json|ya?ml)$/i.test(name)
}
