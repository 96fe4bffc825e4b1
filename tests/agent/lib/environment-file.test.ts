import { expect, test } from 'bun:test'
import { parseAssignments } from '../../../agent/lib/environment-file.ts'

const read = (text: string) =>
  [...parseAssignments(text).assignments.values()].map(({ name, value, line }) => `${line} ${name}=${value}`)

test.each<[string, string, string[]]>([
  ['comments of both kinds', '# a\n; b\nA=1\n', ['3 A=1']],
  ['quotes and a comment after a blank', `A="x # y" # z\nB='q\\n'`, ['1 A=x # y', '2 B=q\\n']],
  ['a backslash before a newline', 'A=one\\\ntwo\nB=3', ['1 A=onetwo', '3 B=3']],
  ['a quote over lines', 'A="one\ntwo"\nB=3', ['1 A=one\ntwo', '3 B=3']],
  ['the last assignment of a name', 'A=1\nB=2\nA=3', ['2 B=2', '3 A=3']],
  ['lines of Windows', 'A=1\r\nB=2\r\n', ['1 A=1', '2 B=2']],
])('parseAssignments() reads %s', (_, text, wanted) => {
  expect(read(text)).toEqual(wanted)
})

test('parseAssignments() tells what is exported, and by line what it does not understand', () => {
  const { assignments, problems } = parseAssignments('export A=1\nB =2\nC=3\nD="open')
  expect(assignments.get('A')).toEqual({ name: 'A', value: '1', line: 1, exported: true })
  expect(assignments.get('C')?.exported).toBe(false)
  expect(problems).toEqual([
    'line 2: wanted KEY=value',
    'line 4: a quote that is opened here is never closed',
  ])
})
