import { expect, test } from 'bun:test'
import { cleanEnvironment } from '../../../../plugins/log-rotation/program/environment.ts'
import { parseOptions } from '../../../../plugins/log-rotation/program/options.ts'

test.each<[string[], object]>([
  [['-vfd', 'a', 'b'], { verbose: true, force: true, debug: true, configurations: ['a', 'b'] }],
  [['a', '-f'], { force: true, configurations: ['a'] }],
  [['-s', 'x', '-mcat', '-l=y', 'c'], { state: 'x', mail: 'cat', log: 'y', configurations: ['c'] }],
  [['-vs', 'x', '--mail=a=b', '--log', 'z'], { verbose: true, state: 'x', mail: 'a=b', log: 'z' }],
  [['--', '-f', '--nope'], { force: false, configurations: ['-f', '--nope'] }],
  [
    ['-', '--skip-state-lock', '--wait-for-state-lock'],
    { skipLock: true, waitForLock: true, configurations: ['-'] },
  ],
])('parseOptions() reads %p', (args, expected) => {
  const { options, end } = parseOptions(args)
  expect(options).toMatchObject(expected)
  expect(end).toBeUndefined()
})

test.each([
  [['-Z'], '-Z'],
  [['-fX', '--version'], '-fX'],
  [['--forc'], '--forc'],
  [['--force=1'], '--force=1'],
  [['a', '-s'], '-s'],
  [['--state'], '--state'],
])('parseOptions() stops at the first bad argument of %p', (args, argument) => {
  expect(parseOptions(args).end).toEqual({ kind: 'bad', argument })
})

test('parseOptions() keeps the order of what is done at once, and ends at --version', () => {
  const { steps, end } = parseOptions(['-l', 'x', '-d', '--version', '-Z'])
  expect(steps).toEqual([{ kind: 'log', path: 'x' }, { kind: 'debug' }])
  expect(end).toEqual({ kind: 'version' })
})

test('cleanEnvironment() keeps the variables of the caller but those that run something else', () => {
  const unsafe = [
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'BASH_ENV',
    'ENV',
    'IFS',
    'PERL5OPT',
    'BUN_OPTIONS',
    'BASH_FUNC_x%%',
  ]
  const given = { PATH: '/bin', FOO: 'x', ...Object.fromEntries(unsafe.map((name) => [name, 'y'])) }
  expect(cleanEnvironment(given)).toEqual({ PATH: '/bin', FOO: 'x' })
  expect(cleanEnvironment({}).PATH).toContain('/usr/sbin')
})
