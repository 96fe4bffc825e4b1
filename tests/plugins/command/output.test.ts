import { expect, test } from 'bun:test'
import { excerpt, oneLine, parseOutput } from '../../../plugins/command/output.ts'

test('parseOutput() takes apart a single line', () => {
  const { summary, details, perfdata } = parseOutput(
    'DISK OK - free 3326 MB | /=2643MB;5948;5958;0;5968\n',
    false,
  )
  expect({ summary, details }).toEqual({ summary: 'DISK OK - free 3326 MB', details: '' })
  expect(perfdata.data.map(({ label }) => label)).toEqual(['/'])
})

test('parseOutput() takes apart long text with more performance data after it', () => {
  const text =
    'DISK OK | /=1MB\n/ 15272 MB\n/boot 68 MB\n/home 69357 MB | /boot=68MB\n/home=69357MB\n/var=8MB\n'
  const { summary, details, perfdata } = parseOutput(text, false)
  expect(summary).toBe('DISK OK')
  expect(details).toBe('/ 15272 MB\n/boot 68 MB\n/home 69357 MB')
  expect(perfdata.data.map(({ label }) => label)).toEqual(['/', '/boot', '/home', '/var'])
  expect(perfdata.rejected).toEqual([])
})

test('parseOutput() reads only the first line of output that was cut', () => {
  const { details, perfdata } = parseOutput('OK | a=1\nlong | b=2', true)
  expect(perfdata.data.map(({ label }) => label)).toEqual(['a'])
  expect(details).toBe('long | b=2')
})

test('parseOutput() of nothing', () => {
  expect(parseOutput('', false)).toEqual({ summary: '', details: '', perfdata: { data: [], rejected: [] } })
  expect(parseOutput('\n\n  late\n', false).summary).toBe('late')
})

test('excerpt() keeps head and tail, never more than the limit, and no control characters', () => {
  expect(excerpt('short', 100)).toBe('short')
  const long = excerpt(`head${'x'.repeat(5000)}tail`, 100)
  expect(long.length).toBeLessThanOrEqual(100)
  expect(long.startsWith('head')).toBe(true)
  expect(long.endsWith('tail')).toBe(true)
  expect(long).toContain('cut')
  expect(excerpt('a\x1b[31mred\x07\n\tb', 100)).toBe('a[31mred\n\tb')
  expect(excerpt('😀'.repeat(100), 101).isWellFormed()).toBe(true)
})

test('oneLine() joins lines', () => {
  expect(oneLine(' a\n\n b\tc ', 100)).toBe('a b c')
})
