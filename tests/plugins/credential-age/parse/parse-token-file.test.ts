import { expect, test } from 'bun:test'
import { parseTokenFile } from '../../../../plugins/credential-age/parse/parse-token-file.ts'
import { processorClock } from '../material.ts'

const parse = (text: string) => parseTokenFile(Buffer.from(text))
const A = '1f0c'.repeat(16)
const B = '9d3e'.repeat(16)

test('parseTokenFile() reads one token per line with its name and the day it was made', () => {
  const { members, problems } = parse(
    `# tokens of rstmdb\n\n# billing-worker 2026-05-01\n${A}\n\n${B}\n  third-token-0 # reporting\n`,
  )
  expect(problems).toEqual([])
  expect(members).toEqual([
    { value: A, confidential: true, line: 4, id: 'billing-worker', rotatedAtMs: Date.parse('2026-05-01') },
    { value: B, confidential: true, line: 6 },
    { value: 'third-token-0', confidential: true, line: 7, id: 'reporting' },
  ])
})

test('parseTokenFile() gives the name to neither of two tokens that overlap', () => {
  const { members } = parse(`# billing\n${A}\n# billing\n${B}\n`)
  expect(members.map(({ id, label }) => [id, label])).toEqual([
    [undefined, 'billing'],
    [undefined, 'billing'],
  ])
})

test.each([
  `# ${A}`,
  `#${A} (old)`,
  '# hV8sQx2mPz7LkTn4',
  '# 550e8400-e29b-41d4-a716-446655440000',
  '# correct-horse-battery-staple',
  '# qwhzkxjvbnqwhzkxjvbn',
  '#',
  '# ----',
  '# Ünïcode',
])('parseTokenFile() does not take the comment %p for a name', (comment) => {
  expect(parse(`${comment}\n${B}\n`).members[0]?.id).toBeUndefined()
})

test.each([
  ['# billing-worker', 'billing-worker'],
  ['# n8n@prod', 'n8n@prod'],
  ['# ci runner 2', 'ci runner 2'],
  ['# worker2', 'worker2'],
  ['# CI', 'CI'],
  ['# made 2026-13-45', 'made'],
])('parseTokenFile() takes from the comment %p the name %p', (comment, name) => {
  expect(parse(`${comment}\n${B}\n`).members[0]?.id).toBe(name)
})

test('parseTokenFile() names lines that are no token, and never quotes them', () => {
  const { members, problems } = parse(`${A}\nname ${B}\n`)
  expect(members).toHaveLength(1)
  expect(problems).toEqual(['line 2: wanted one token, and a comment after "#"'])
})

test.each(['', '\n\n', '# nothing yet\n'])(
  'parseTokenFile() says that a file without a token is empty',
  (text) => {
    expect(parse(text).members).toEqual([{ value: '', confidential: true }])
  },
)

test('parseTokenFile() refuses binary rubbish', () => {
  expect(() => parseTokenFile(Buffer.from([1, 0, 2]))).toThrow('NUL')
  expect(() => parseTokenFile(Buffer.from([0xc3, 0x28]))).toThrow('UTF-8')
})

test.each([
  ['#'.repeat(1_000_000)],
  ['x '.repeat(500_000)],
  [`x${' '.repeat(1_000_000)}y`],
  [`# ${'a-'.repeat(500_000)}\ntoken`],
  [`# ${'2026-01-'.repeat(125_000)}\ntoken`],
  [`${A}\n`.repeat(15_000)],
])('parseTokenFile() takes linear time on hostile text', (text) => {
  const spentMs = processorClock()
  parse(text)
  expect(spentMs()).toBeLessThan(1500)
})
