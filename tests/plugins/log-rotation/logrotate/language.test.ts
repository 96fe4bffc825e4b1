import { expect, test } from 'bun:test'
import { parseConfiguration, startConfiguration } from '../../../../plugins/log-rotation/logrotate/parse.ts'
import { DEFAULTS } from '../../../../plugins/log-rotation/logrotate/settings.ts'
import { formatState, parseState } from '../../../../plugins/log-rotation/logrotate/state.ts'

function read(text: string) {
  const errors: string[] = []
  const configuration = startConfiguration(DEFAULTS)
  const clean = parseConfiguration(text, 'conf', configuration, {
    userId: (name) => (name === 'root' ? 0 : undefined),
    groupId: (name) => ({ root: 0, adm: 4, '4': 4 })[name],
    home: () => '/root',
    glob: (pattern) => ({ paths: [pattern] }),
    isDirectory: () => false,
    isPrintable: () => true,
    mayInclude: true,
    include: () => true,
    verifyOldDirectory: () => true,
    error: (message) => errors.push(message),
    warning: (message) => errors.push(message),
    debug: () => {},
  })
  return { clean, errors, ...configuration }
}

test('parseConfiguration() lets a block override the defaults for itself only', () => {
  const { clean, sets } = read('daily\nrotate 4\n/a {\n  weekly 3\n}\n# next\n/b "/c d" {\n  rotate=1\n}\n')
  expect(clean).toBe(true)
  expect(
    sets.map(({ files, settings }) => ({ files, rotate: settings.rotate, when: settings.criterion })),
  ).toEqual([
    { files: ['/a'], rotate: 4, when: { kind: 'weekly', weekday: 3 } },
    { files: ['/b', '/c d'], rotate: 1, when: { kind: 'daily' } },
  ])
})

test('parseConfiguration() keeps a script as it stands, braces and all', () => {
  const { sets } = read('/a {\npostrotate\n  if true; then { echo } ; }\n  fi\nendscript\n}\n')
  expect(sets[0]?.settings.scripts.postrotate).toBe('\n  if true; then { echo } ; }\n  fi\n')
})

test.each([
  ['rotate x', "conf:2 bad rotation count 'x'"],
  ['size 10X', "conf:2 unknown unit 'X'"],
  ['create 0644 nobody-here root', "conf:2 unknown user 'nobody-here'"],
  ['create 0644 root root more', 'conf:2 extra arguments for create'],
  ['su root', 'conf:2 no group for su'],
  ['create 0999', "conf:2 invalid mode '0999'"],
  ['rotate \nweekly', 'conf:2 argument expected after rotate count'],
  ['mail a b', 'conf:2 bad mail address  a b\n}\n/b {\n}\n'],
  ['compressoptions', 'conf:2 invalid compression options'],
  ['/c {', 'conf:2 unexpected log filename'],
  ['weird!', "conf:2 keyword 'weird' not properly separated, found 0x21"],
  ['daily;', "conf:2 keyword 'daily' not properly separated, found 0x3b"],
  ['tabooext .x', 'conf:2 tabooext may not appear inside of log file definition'],
])('parseConfiguration() leaves out a block with "%s" and reads the next', (line, message) => {
  const { clean, errors, sets } = read(`/a {\n${line}\n}\n/b {\n}\n`)
  expect(clean).toBe(false)
  expect(errors).toContain(message)
  expect(sets.map(({ files }) => files)).toEqual([['/b']])
})

test('parseConfiguration() ignores a line with an unknown word and is not in error', () => {
  const { clean, errors, sets } = read('/a {\nnonsense yes\n}\n')
  expect(clean).toBe(true)
  expect(errors).toEqual(["conf:2 unknown option 'nonsense' -- ignoring line"])
  expect(sets).toHaveLength(1)
})

test.each([
  ['create 0640 root adm', { mode: 0o640, uid: 0, gid: 4 }],
  ['create root adm', { uid: 0, gid: 4 }],
  ['create 0600', { mode: 0o600 }],
  ['create "root" 4', { uid: 0, gid: 4 }],
  ['create', {}],
])('parseConfiguration() reads "%s"', (line, expected) => {
  expect(read(`/a {\n${line}\n}\n`).sets[0]?.settings.createAs).toEqual(expected)
})

test('formatState() writes what parseState() reads, whatever the names hold', () => {
  const entries = new Map(
    ['/a', '/b c', '/quote"', '/back\\slash', '/new\nline'].map((name) => [
      name,
      new Date(2026, 1, 3, 4, 5, 6),
    ]),
  )
  expect(parseState(formatState(entries), 'state')).toEqual({ entries })
})

test('parseState() reads version 1 and dates without a time', () => {
  const { entries, problem } = parseState('logrotate state -- version 1\n/a 2026-2-3\n', 'state')
  expect(problem).toBeUndefined()
  expect(entries).toEqual(new Map([['/a', new Date(2026, 1, 3)]]))
})

test.each([
  ['nonsense\n', 'bad top line in state file state'],
  ['logrotate state -- version 2\nword\n', 'bad line 2 in state file state'],
  ['logrotate state -- version 2\n"/a" 2026-13-1-0:0:0\n', 'bad month 13 for file /a in state file state'],
  ['logrotate state -- version 2\n"/a" 2026-1-1-25:0:0\n', 'bad hour 25 for file /a in state file state'],
])('parseState() tells what is wrong with %j', (text, problem) => {
  expect(parseState(text, 'state').problem).toBe(problem)
})
