import { z } from 'zod'
import { sha256 } from '../lib/digest.ts'
import { listFacts, type StoredFact } from '../store/read-inventory.ts'
import { nameParameter } from './parameters.ts'
import { defineRoute, type Route } from './route.ts'

const MAX_FACTS = 20_000
const KINDS = ['credential', 'attestation']
/** When a calendar reminds, before the day itself: the steps at which reeve does. */
const ALARM_DAYS = [30, 15, 7, 1]

export const calendarRoutes: Route[] = [
  defineRoute({
    name: 'getCalendar',
    method: 'get',
    path: '/v1/credentials.ics',
    access: 'feed',
    summary:
      'Days on which credentials and attestations are due, as a calendar feed. A calendar that cannot send a header gives a token of scope `feed` in the URL',
    query: () =>
      z.strictObject({
        job: nameParameter('Only of this job'),
        token: z.string().max(512).optional().describe('A token of scope `feed`; no other is taken here'),
      }),
    answers: { 200: { means: 'iCalendar (RFC 5545)', contentType: 'text/calendar; charset=utf-8' } },
    handle({ c, deps, query }) {
      const facts = KINDS.flatMap((kind) => listFacts(deps.store, { job: query.job, kind, limit: MAX_FACTS }))
      const text = renderCalendar(facts.flatMap(eventsOf), deps.hostname, deps.now())
      return c.body(text, 200, {
        'Content-Type': 'text/calendar; charset=utf-8',
        'Content-Disposition': 'attachment; filename="credentials.ics"',
      })
    },
  }),
]

export interface CalendarEvent {
  /** The same in every answer, so that a calendar moves an event instead of doubling it. */
  id: string
  /** UTC milliseconds; the event takes that whole day. */
  atMs: number
  summary: string
  description: string
}

type Dated = Pick<StoredFact, 'job' | 'kind' | 'subject' | 'data'>

/** Pure: what a fact has to say to a calendar. */
export function eventsOf({ job, kind, subject, data }: Dated): CalendarEvent[] {
  if (data.superseded === true) return []
  const name = typeof data.name === 'string' ? data.name : subject
  const what: [field: string, summary: string][] =
    kind === 'attestation'
      ? [['dueAt', `Attest: ${typeof data.means === 'string' ? data.means : subject}`]]
      : [
          ['dueAt', `Rotate ${name}`],
          ['expiresAt', `Expires: ${name}`],
        ]
  const details = ['owner', 'service', 'runbook', 'usedBy', 'kind'].flatMap((field) =>
    data[field] === undefined || data[field] === null ? [] : [`${field}: ${data[field]}`],
  )
  return what.flatMap(([field, summary]): CalendarEvent[] => {
    const text = data[field]
    const atMs = typeof text === 'string' ? Date.parse(text) : Number.NaN
    if (Number.isNaN(atMs)) return []
    const id = sha256(JSON.stringify([job, kind, subject, field])).slice(0, 32)
    return [{ id, atMs, summary, description: [subject, ...details, `job: ${job}`].join('\n') }]
  })
}

/** Pure. `stampMs` is when the answer was made. */
export function renderCalendar(events: CalendarEvent[], host: string, stampMs: number): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//reeve//credentials//EN',
    'CALSCALE:GREGORIAN',
    'METHOD:PUBLISH',
    `X-WR-CALNAME:${escapeText(`reeve on ${host}`)}`,
    ...events
      .toSorted((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))
      .flatMap((event) => [
        'BEGIN:VEVENT',
        `UID:${event.id}@${escapeText(host)}`,
        `DTSTAMP:${utc(stampMs)}`,
        `DTSTART;VALUE=DATE:${utc(event.atMs).slice(0, 8)}`,
        `SUMMARY:${escapeText(`${event.summary} (${host})`)}`,
        `DESCRIPTION:${escapeText(event.description)}`,
        'TRANSP:TRANSPARENT',
        ...ALARM_DAYS.flatMap((days) => [
          'BEGIN:VALARM',
          'ACTION:DISPLAY',
          `TRIGGER:-P${days}D`,
          `DESCRIPTION:${escapeText(event.summary)}`,
          'END:VALARM',
        ]),
        'END:VEVENT',
      ]),
    'END:VCALENDAR',
  ]
  return `${lines.map(fold).join('\r\n')}\r\n`
}

/** "20270331T063000Z" */
function utc(atMs: number): string {
  return new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '')
}

/** RFC 5545 3.3.11; other control characters have no place in it. */
function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\\;,]/g, '\\$&')
    .replace(/\r?\n/g, '\\n')
    .replace(/\p{Cc}/gu, '')
}

/** Lines of at most 75 bytes, continued after a blank (3.1), no character cut in two. */
function fold(line: string): string {
  const parts: string[] = []
  let part = ''
  let bytes = 0
  for (const character of line) {
    const size = Buffer.byteLength(character)
    if (bytes + size > (parts.length === 0 ? 75 : 74)) {
      parts.push(part)
      part = ''
      bytes = 0
    }
    part += character
    bytes += size
  }
  return [...parts, part].join('\r\n ')
}
