import { expect, test } from 'bun:test'
import { table, time, visible } from '../../../agent/cli/print.ts'

test('table() makes columns as wide as what is in them, also in wide characters', () => {
  expect(
    table(
      ['job', 'state'],
      [
        ['logs', 'ok'],
        ['日本語', 'failed'],
      ],
    ),
  ).toBe(['JOB     STATE', 'logs    ok', '日本語  failed'].join('\n'))
})

test('table() cuts nothing where nobody has said how wide the screen is', () => {
  const long = 'x'.repeat(500)
  expect(table(['job', 'why'], [['a', long]])).toContain(long)
})

test('table() shows what is not there as nothing', () => {
  expect(table(['a', 'b', 'c'], [['1', '', '3'], []])).toBe(['A  B  C', '1     3', ''].join('\n'))
  expect(table(['a'], [])).toBe('A')
})

test('table() paints a cell without moving the others', () => {
  const painted = table(
    ['a', 'b'],
    [
      ['x', 'y'],
      ['long', 'z'],
    ],
    (cell, column) => (column === 0 ? `<${cell}>` : cell),
  )
  expect(painted).toBe(['A     B', '<x>     y', '<long>  z'].join('\n'))
})

const texts: [text: string, shown: string][] = [
  ['plain ä 😀', 'plain ä 😀'],
  ['a\nb\r\t', 'a\\x0ab\\x0d\\x09'],
  ['\x1b[31mred\x1b[0m', '\\x1b[31mred\\x1b[0m'],
  ['\x07\x00\x7f', '\\x07\\x00\\x7f'],
  ['\u009b31m', '\\x9b31m'],
]
for (const [text, shown] of texts) {
  test(`visible() shows ${JSON.stringify(text)} as ${JSON.stringify(shown)}`, () => {
    expect(visible(text)).toBe(shown)
  })
}

test('time() is in local time, and "-" for none', () => {
  expect(time(null)).toBe('-')
  const date = new Date(2026, 2, 1, 14, 5, 9)
  expect(time(date.getTime())).toBe('2026-03-01 14:05:09')
})
