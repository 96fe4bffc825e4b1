import { expect, test } from 'bun:test'
import { judgeComplaints, parseComplaints } from '../../../../plugins/log-rotation/adopted/judge.ts'

const error = { severity: 'error' as const, line: undefined, file: undefined }

test.each([
  [
    "error: nginx:7 unknown option 'dayly' -- ignoring line\n",
    { ...error, file: 'nginx', line: 7, message: "unknown option 'dayly' -- ignoring line" },
  ],
  [
    'error: /etc/a.conf:3, unexpected text after }\n',
    { ...error, file: '/etc/a.conf', line: 3, message: 'unexpected text after }' },
  ],
  [
    'error: cannot stat /etc/none: No such file or directory',
    { ...error, file: '/etc/none', message: 'cannot stat /etc/none: No such file or directory' },
  ],
  [
    'warning: Potentially dangerous mode on app: 0666',
    { ...error, severity: 'warning', file: 'app', message: 'Potentially dangerous mode on app: 0666' },
  ],
  ['error: error running prerotate script: x', { ...error, message: 'error running prerotate script: x' }],
])('parseComplaints(%p)', (text, expected) => expect(parseComplaints([text])).toEqual([expected as never]))

test('parseComplaints() leaves out what is neither error nor warning', () => {
  expect(parseComplaints(['reading config file a\n', 'considering log b'])).toEqual([])
})

test('judgeComplaints() takes what may not be read for blind, never for right', () => {
  const complaints = parseComplaints([
    'error: cannot stat /etc/other.d: Permission denied',
    'error: /etc/a.conf:3 glob failed for /srv/*.log: Permission denied',
  ])
  const { findings, blind } = judgeComplaints(
    complaints,
    (file) => file,
    (subject) => ({ subject, reason: 'closed' }),
  )
  expect(findings).toEqual([])
  expect(blind).toMatchObject([
    { subject: '/etc/other.d', reason: expect.stringContaining('logrotateIncludes') },
    { subject: '/srv/*.log', reason: 'closed' },
  ])
})
