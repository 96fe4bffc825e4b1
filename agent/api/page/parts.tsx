/** @jsxImportSource hono/jsx */
import { formatBytes } from '../../lib/bytes.ts'
import { formatDuration } from '../../lib/duration.ts'
import { printablePath } from '../../lib/path.ts'
import type { JobState } from '../../store/status.ts'

// Small pieces that every part of the page uses. All text is escaped by JSX.

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

/** "12m ago", "in 3h 20m", "just now". */
export function relativeTime(at: number, now: number): string {
  const distance = Math.abs(now - at)
  if (distance < 5 * SECOND) return 'just now'
  const unit = distance >= DAY ? 60 * MINUTE : distance >= 60 * MINUTE ? MINUTE : SECOND
  const text = formatDuration(Math.round(distance / unit) * unit)
  return at <= now ? `${text} ago` : `in ${text}`
}

/** "2026-11-21 22:33:44 UTC". */
export function absoluteTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** A moment as its distance from now, with the full time as a tooltip; `never` where there is none. */
export function Time({ at, now, never = 'never' }: { at: number | null; now: number; never?: string }) {
  if (at === null) return <span class="none">{never}</span>
  return (
    <time datetime={new Date(at).toISOString()} title={absoluteTime(at)}>
      {relativeTime(at, now)}
    </time>
  )
}

/** A path, name or other text of the host, as it is: no control characters, no reordering. */
export function Literal({ text }: { text: string }) {
  return <code class="literal">{printablePath(text)}</code>
}

/** Something to be copied to a shell: as it is, with its line breaks, but nothing that cannot be seen. */
export function Verbatim({ text }: { text: string }) {
  return <code class="verbatim">{text.replaceAll(/[^\P{C}\n]/gu, '\ufffd')}</code>
}

type Tone = 'good' | 'attention' | 'bad' | 'unknown' | 'quiet'

const TONES: Record<JobState, Tone> = {
  refused: 'unknown',
  failed: 'bad',
  late: 'unknown',
  blind: 'unknown',
  critical: 'bad',
  warning: 'attention',
  pending: 'unknown',
  ok: 'good',
  disabled: 'quiet',
}

export function toneOf(state: JobState): Tone {
  return TONES[state]
}

/** Each tone has a shape of its own beside its colour. */
const SHAPES: Record<Tone, string> = {
  good: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-1.2 10L3.9 8.1l1.2-1.2 1.7 1.7 4.1-4.1 1.2 1.2Z',
  attention: 'M8 1 15.5 14.5H.5Zm-.9 4.6v4.6h1.8V5.6Zm0 5.7V13h1.8v-1.7Z',
  bad: 'M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1Zm.5 3.4L4.4 5.6 6.8 8l-2.4 2.4 1.2 1.2L8 9.2l2.4 2.4 1.2-1.2L9.2 8l2.4-2.4-1.2-1.2L8 6.8Z',
  unknown:
    'M3 1h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H3a2 2 0 0 1-2-2V3a2 2 0 0 1 2-2Zm2.2 5.4h1.7c0-.7.4-1.1 1.1-1.1.6 0 1 .3 1 .9s-.3.8-.9 1.2c-.8.5-1.1 1-1.1 2h1.7c0-.5.2-.8.9-1.2.8-.5 1.2-1.1 1.2-2C10.8 4.7 9.7 3.8 8.1 3.8 6.4 3.8 5.2 4.8 5.2 6.4Zm1.7 3.9v1.8h1.8v-1.8Z',
  quiet: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4.5 7.1h7v1.8h-7Z',
}

export function Shape({ tone }: { tone: Tone }) {
  return (
    <svg class="shape" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path fill="currentColor" fill-rule="evenodd" d={SHAPES[tone]} />
    </svg>
  )
}

/** A state: colour, shape and words together. */
export function Badge({ tone, words }: { tone: Tone; words: string }) {
  return (
    <span class={`badge tone-${tone}`}>
      <Shape tone={tone} />
      {words}
    </span>
  )
}

/** One of the things that plugins report as name and value, by the unit that its name ends in. */
export function Datum({ name, value, now }: { name: string; value: unknown; now: number }) {
  if (value === undefined) return <span class="none">–</span>
  if (value === null) return <span class="none">{/At$/.test(name) ? 'never' : 'unknown'}</span>
  if (typeof value === 'boolean') return <>{value ? 'yes' : 'no'}</>
  if (typeof value === 'number') {
    if (/At(Ms)?$/.test(name) && isMoment(value)) return <Dated at={value} now={now} />
    if (/Ms$/.test(name)) return <>{formatDuration(value)}</>
    if (/bytes$/i.test(name)) return <>{formatBytes(value)}</>
    return <>{value}</>
  }
  const text = String(value)
  if (/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(text) && isMoment(Date.parse(text))) {
    return <Dated at={Date.parse(text)} now={now} />
  }
  return <Literal text={text} />
}

/** A moment that is worth a date, too: when something expires or was proven. */
function Dated({ at, now }: { at: number; now: number }) {
  return (
    <>
      <Time at={at} now={now} />
      <span class="sub">{new Date(at).toISOString().slice(0, 10)}</span>
    </>
  )
}

function isMoment(milliseconds: number): boolean {
  return Math.abs(milliseconds) <= 8.64e15
}

/** "lastProvenAt" → "Last proven", "credential-age" → "Credential age", "sizeBytes" → "Size". */
export function inWords(name: string): string {
  const words = name
    .replace(/(?<=.)(At|Ms|Bytes)$/, '')
    .replaceAll(/[-_]/g, ' ')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
