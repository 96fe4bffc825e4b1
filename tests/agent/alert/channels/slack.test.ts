import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { slackBody } from '../../../../agent/alert/channels/slack.ts'
import { findingPayload, summaryPayload, testPayload } from '../../../../agent/alert/payload.ts'
import { transition } from '../kit.ts'

const textOf = (payload: string): string => JSON.parse(slackBody(JSON.parse(payload))).text

test('slackBody() says what is wrong, where, and what to do', () => {
  expect(textOf(findingPayload(transition(), 'web1'))).toBe(
    [
      '*CRITICAL opened on web1*: the mode of /etc/shadow is 0644, wanted 0640',
      'permissions · mode-differs · `/etc/shadow`',
      'To do:',
      '```chmod 0640 /etc/shadow```',
    ].join('\n'),
  )
})

test('slackBody() of a resolved finding has no remedy', () => {
  expect(textOf(findingPayload(transition({ kind: 'resolved' }), 'web1'))).toBe(
    '*Resolved on web1*: the mode of /etc/shadow is 0644, wanted 0640\npermissions · mode-differs · `/etc/shadow`',
  )
})

test('slackBody() of a summary lists the first findings and counts the rest', () => {
  const many = Array.from({ length: 30 }, (_, index) =>
    transition({ findingId: index, subject: `/srv/${index}` }),
  )
  const lines = textOf(summaryPayload('opened', many, 'web1')).split('\n')
  expect(lines[0]).toBe('*web1*: 30 more findings opened at once: 30 critical')
  expect(lines[1]).toBe('• critical: permissions · mode-differs · `/srv/0`')
  expect(lines).toHaveLength(12)
  expect(lines[11]).toBe('… and 20 more')
})

test('slackBody() of a test names the channel', () => {
  expect(textOf(testPayload('ops', 'web1', 0))).toBe(
    '*web1*: Test of the alert channel "ops": reeve can reach it',
  )
})

test('slackBody() lets no text address people, load a link or leave its code block', () => {
  const text = textOf(
    findingPayload(
      transition({
        summary: '<!channel> @all & <https://evil.test|click>',
        subject: '`x`\n@here',
        remedy: '``` <!here> ```',
      }),
      'web1',
    ),
  )
  expect(text).not.toContain('<')
  expect(text.split('\n')[0]).toContain('@\u200ball')
  expect(text).toContain('&lt;!channel&gt;')
  expect(text.split('\n')[1]).toBe("permissions · mode-differs · `'x' @here`")
  expect(text.match(/```/g)).toHaveLength(2)
  expect(JSON.parse(slackBody(JSON.parse(testPayload('ops', 'web1', 0)))).unfurl_links).toBe(false)
})

test('slackBody() stays short enough for Slack and Mattermost, for any texts', () => {
  const any = fc.oneof(fc.string({ unit: 'binary', maxLength: 4000 }), fc.constant('&'.repeat(4000)))
  fc.assert(
    fc.property(any, any, any, (subject, summary, remedy) => {
      const text = textOf(findingPayload(transition({ subject, summary, remedy }), 'web1'))
      expect(text.length).toBeLessThan(16_000)
    }),
    { seed: 5, numRuns: 50 },
  )
})

test.each([{}, { type: 'x' }, { type: 'finding.opened', timestamp: '', data: { finding: 3 } }])(
  'slackBody() makes a message of %p, as another version of reeve may have written it',
  (payload) => {
    expect(() => JSON.parse(slackBody({ type: '', timestamp: '', data: {}, ...payload }))).not.toThrow()
  },
)

test('slackBody() leaves a command as it is, so that it can be copied', () => {
  const remedy = 'ssh backup@web1 "echo `date`"'
  expect(textOf(findingPayload(transition({ remedy }), 'web1'))).toEndWith(`\`\`\`${remedy}\`\`\``)
})
