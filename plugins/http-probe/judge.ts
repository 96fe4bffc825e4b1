import { type Blind, type Finding, type HttpAnswer, shellWord } from '../../agent/contract/mod.ts'
import type { Probe } from './config.ts'
import { parseSeries, sumOf } from './prometheus-text.ts'
import { type RuleId, rules } from './rules.ts'

export interface Judged {
  findings: Finding[]
  blind: Blind[]
}

/** Nothing of what a server says is shown beyond this. */
const MAX_SHOWN = 200

/** Pure: an answer against what a probe expects. `url` is the one that was asked. */
export function judgeAnswer(probe: Probe, url: string, answer: HttpAnswer): Judged {
  const blind: Blind[] = []
  const findings: Finding[] = []
  const report = (rule: RuleId, says: string, remedy: string) =>
    findings.push({
      rule,
      subject: probe.name,
      severity: rules[rule].severity,
      summary: `${probe.method} ${url} ${says}`,
      remedy,
      evidence: { url, status: answer.status },
    })
  judgeStatus(probe, answer.status, report)
  judgeHeaders(probe, url, answer, report)
  const truncated = (rule: RuleId) =>
    blind.push({
      subject: probe.name,
      reason: `the answer has more than ${probe.maxBytes} bytes: raise maxBytes`,
      rules: [rule],
    })
  judgeBody(probe, answer, report, truncated)
  judgeMetrics(probe, answer, report, truncated)
  return { findings, blind }
}

type Report = (rule: RuleId, says: string, remedy: string) => void

function judgeStatus({ expects }: Probe, status: number, report: Report): void {
  const isOk = status >= 200 && status < 300
  if ((expects === 'refused' || expects === 'hidden') && isOk) {
    const says = `is answered with ${status} without a credential, wanted is ${expects === 'refused' ? '401 or 403' : 'a refusal'}`
    report(
      'unguarded',
      says,
      'Switch authentication on in the service, or bind it to the loopback; then ask again',
    )
  } else if (!isExpected(expects, status)) {
    const wanted = { ok: '2xx', refused: '401 or 403', hidden: 'a refusal' }
    const text = typeof expects === 'string' ? wanted[expects] : expects.join(' or ')
    report(
      'unexpected-status',
      `is answered with ${status}, wanted is ${text}`,
      'See the log of the service, and whether the URL is still right',
    )
  }
}

function isExpected(expects: Probe['expects'], status: number): boolean {
  switch (expects) {
    case 'ok':
      return status >= 200 && status < 300
    case 'refused':
      return status === 401 || status === 403
    case 'hidden':
      return status >= 400
    default:
      return expects.includes(status)
  }
}

function judgeHeaders(probe: Probe, url: string, { headers }: HttpAnswer, report: Report): void {
  const valuesOf = (wanted: string) =>
    headers.flatMap(([name, value]) => (name === wanted.toLowerCase() ? [value] : []))
  const wrong = Object.entries(probe.responseHeaders).filter(([name, right]) => {
    const values = valuesOf(name)
    return values.length === 0 || (right.length > 0 && !values.every((value) => right.some(matches(value))))
  })
  const curl = `curl -sI ${shellWord(url)}`
  if (wrong.length > 0) {
    const shown = wrong.map(([name]) => {
      const values = valuesOf(name)
      return values.length === 0 ? `no ${name}` : `${name}: ${shorten(values.join(', '))}`
    })
    const wanted = wrong.map(([name, [value = '…']]) => `${name}: ${value}`)
    report(
      'missing-header',
      `is answered with ${shown.join('; ')}`,
      `Have the service, or the front end before it, send:\n${wanted.join('\n')}\nTo see what it sends: ${curl}`,
    )
  }
  const forbidden = probe.forbiddenHeaders.filter((name) => valuesOf(name).length > 0)
  if (forbidden.length > 0) {
    report(
      'forbidden-header',
      `is answered with ${forbidden.join(', ')}`,
      `Switch it off in the service, or have the front end take it out. ${curl}`,
    )
  }
  if (probe.cookies !== 'strict') return
  const loose = valuesOf('set-cookie').flatMap((cookie) => {
    const lacks = flagsMissing(cookie)
    // The value is somebody's session.
    return lacks.length > 0 ? [`${shorten(cookie.split('=', 1)[0] ?? '')} (not ${lacks.join(', ')})`] : []
  })
  if (loose.length > 0) {
    report(
      'loose-cookie',
      `sets the cookie ${loose.join(', ')}`,
      'Set HttpOnly, Secure and SameSite=Strict in the service; behind a front end with TLS it has to be told so',
    )
  }
}

function flagsMissing(cookie: string): string[] {
  const flags = cookie
    .split(';')
    .slice(1)
    .map((part) => part.trim().toLowerCase())
  return [
    ...(flags.includes('httponly') ? [] : ['HttpOnly']),
    ...(flags.includes('secure') ? [] : ['Secure']),
    ...(flags.includes('samesite=strict') || flags.includes('samesite=lax') ? [] : ['SameSite']),
  ]
}

/** Case does not count; `*` is any text. */
function matches(value: string): (pattern: string) => boolean {
  return (pattern) => new RegExp(`^${pattern.split('*').map(RegExp.escape).join('.*')}$`, 'is').test(value)
}

function judgeBody(
  probe: Probe,
  answer: HttpAnswer,
  report: Report,
  truncated: (rule: RuleId) => void,
): void {
  const { contains, json } = probe
  if (contains === undefined && Object.keys(json).length === 0) return
  const text = Buffer.from(answer.body).toString('utf8')
  const remedy = 'See the log of the service, and whether what is wanted is still right'
  if (contains !== undefined && !text.includes(contains)) {
    if (answer.truncated) {
      truncated('unexpected-body')
      return
    }
    report('unexpected-body', `is answered without "${contains}"`, remedy)
    return
  }
  if (Object.keys(json).length === 0) return
  if (answer.truncated) {
    truncated('unexpected-body')
    return
  }
  const parsed = parseJson(text)
  const wrong = Object.entries(json).filter(([path, wanted]) => valueAt(parsed, path) !== wanted)
  if (wrong.length === 0) return
  const says =
    parsed === undefined
      ? 'with what is no JSON'
      : `with another value of ${wrong.map(([path]) => path).join(', ')}`
  report('unexpected-body', `is answered ${says}`, remedy)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

function judgeMetrics(
  { metrics }: Probe,
  answer: HttpAnswer,
  report: Report,
  truncated: (rule: RuleId) => void,
): void {
  if (metrics.length === 0) return
  if (answer.truncated) {
    truncated('metric-out-of-range')
    return
  }
  const series = parseSeries(Buffer.from(answer.body).toString('utf8'))
  const wrong = metrics.flatMap(({ name, labels, atMost, atLeast }) => {
    const value = sumOf(series, name, labels)
    if (value === undefined) return [`no ${name}`]
    if (atMost !== undefined && !(value <= atMost)) return [`${name} ${value}, wanted at most ${atMost}`]
    return atLeast !== undefined && !(value >= atLeast)
      ? [`${name} ${value}, wanted at least ${atLeast}`]
      : []
  })
  if (wrong.length > 0)
    report('metric-out-of-range', `is answered with ${wrong.join('; ')}`, 'See the log of the service')
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}
