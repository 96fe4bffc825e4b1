import { expect, test } from 'bun:test'
import { eventsOf, renderCalendar } from '../../../agent/api/calendar.ts'
import { facts } from '../../../agent/store/schema.ts'
import { testHost } from './host.ts'

const NOW = Date.parse('2027-03-01T06:30:00Z')
const fact = (subject: string, data: Record<string, string | boolean>, kind = 'credential') => ({
  job: 'credentials',
  kind,
  subject,
  data,
})

test('eventsOf() has an event for each day on which something has to be done, always with the same id', () => {
  const token = fact('/etc/env#TOKEN', { dueAt: '2027-05-01T00:00:00.000Z', name: 'billing', owner: 'ops' })
  const [event, ...others] = eventsOf(token)
  expect(others).toEqual([])
  expect(event).toMatchObject({ atMs: Date.parse('2027-05-01'), summary: 'Rotate billing' })
  expect(event?.description).toBe('/etc/env#TOKEN\nowner: ops\njob: credentials')
  expect(eventsOf({ ...token, data: { ...token.data, dueAt: '2027-09-01T00:00:00.000Z' } })[0]?.id).toBe(
    event?.id,
  )
  const both = { dueAt: '2027-05-01T00:00:00.000Z', expiresAt: '2027-06-01T00:00:00.000Z' }
  expect(eventsOf(fact('a', both)).map(({ summary }) => summary)).toEqual(['Rotate a', 'Expires: a'])
  expect(
    eventsOf(fact('drill', { dueAt: both.dueAt, means: 'Go through it' }, 'attestation'))[0]?.summary,
  ).toBe('Attest: Go through it')
  expect(eventsOf(fact('a', { superseded: true, ...both }))).toEqual([])
  expect(eventsOf(fact('a', { dueAt: 'never' }))).toEqual([])
})

test('renderCalendar() keeps to RFC 5545: escaped text, lines of 75 bytes, CRLF', () => {
  const description = `${'ä'.repeat(100)}\n; , \\ \u0007end`
  const text = renderCalendar([{ id: 'x', atMs: NOW, summary: 'Rotate; a, b', description }], 'host', NOW)
  const lines = text.split('\r\n')
  expect(lines.at(-1)).toBe('')
  expect(lines.every((line) => Buffer.byteLength(line) <= 75)).toBe(true)
  expect(text).not.toMatch(/[^\r]\n/)
  expect(text).not.toContain('\u0007')
  const unfolded = text.replaceAll('\r\n ', '')
  expect(unfolded).toContain('SUMMARY:Rotate\\; a\\, b (host)\r\n')
  expect(unfolded).toContain(`DESCRIPTION:${'ä'.repeat(100)}\\n\\; \\, \\\\ end\r\n`)
  expect(unfolded).toContain('DTSTART;VALUE=DATE:20270301\r\n')
  expect(unfolded.match(/BEGIN:VALARM/g)).toHaveLength(4)
})

test('/v1/credentials.ics takes a token of scope feed in the URL, any scope in the header, and nothing else', async () => {
  using host = testHost()
  const row = {
    ...fact('/etc/env#TOKEN', { dueAt: '2027-05-01T00:00:00.000Z' }),
    firstSeenAt: 1,
    changedAt: 1,
    seenAt: 1,
  }
  host.store.orm.insert(facts).values(row).run()
  const app = host.app()
  const path = '/v1/credentials.ics'
  const [feed, read] = [host.token('feed', 'phone'), host.token('read', 'reader')]
  const byUrl = await app.fetch(`${path}?token=${feed}`)
  expect(byUrl.status).toBe(200)
  expect(byUrl.headers.get('Content-Type')).toBe('text/calendar; charset=utf-8')
  expect(await byUrl.text()).toContain('SUMMARY:Rotate /etc/env#TOKEN')
  const status = async (url: string, token?: string) => (await app.fetch(url, { token })).status
  expect(await status(path, feed)).toBe(200)
  expect(await status(path, read)).toBe(200)
  expect(await status(path)).toBe(401)
  expect(await status(`${path}?token=${read}`)).toBe(403)
  expect(await status(`${path}?token=nonsense`)).toBe(401)
  // A feed token is good for nothing else.
  expect(await status('/v1/facts', feed)).toBe(403)
  expect(await status(`/v1/facts?token=${feed}`)).toBe(401)
  const form = {
    method: 'POST',
    body: `token=${feed}`,
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      Origin: 'http://127.0.0.1:7338',
      Host: '127.0.0.1:7338',
    },
  }
  const signIn = await app.fetch('/sign-in', form)
  expect(signIn.headers.get('Set-Cookie')).toBeNull()
})
