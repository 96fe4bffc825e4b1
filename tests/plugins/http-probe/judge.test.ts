import { expect, test } from 'bun:test'
import type { z } from 'zod'
import type { HttpAnswer } from '../../../agent/contract/mod.ts'
import { judgeAnswer } from '../../../plugins/http-probe/judge.ts'
import plugin from '../../../plugins/http-probe/plugin.ts'
import { parseSeries, sumOf } from '../../../plugins/http-probe/prometheus-text.ts'
import { isLocal, netEntry, requestsOf } from '../../../plugins/http-probe/target.ts'

type Settings = z.input<typeof plugin.config>['probes'][number]

const URL_ASKED = 'http://127.0.0.1:9876/x'
const parse = (settings: Partial<Settings>) =>
  plugin.config.safeParse({ probes: [{ name: 'a', url: URL_ASKED, ...settings }] })
const probeOf = (settings: Partial<Settings>) => {
  const [probe] = parse(settings).data?.probes ?? []
  if (!probe) throw new Error('no valid probe')
  return probe
}

const answer = (
  status: number,
  headers: Record<string, string> = {},
  body = '',
  truncated = false,
): HttpAnswer => ({
  status,
  headers: Object.entries(headers),
  body: new TextEncoder().encode(body),
  truncated,
  durationMs: 1,
})

test.each<[settings: Partial<Settings>, answer: HttpAnswer, rules: string[]]>([
  [{}, answer(200), []],
  [{}, answer(204), []],
  [{}, answer(302), ['unexpected-status']],
  [{}, answer(500), ['unexpected-status']],
  [{ expects: 'refused' }, answer(401), []],
  [{ expects: 'refused' }, answer(403), []],
  [{ expects: 'refused' }, answer(200), ['unguarded']],
  [{ expects: 'refused' }, answer(201), ['unguarded']],
  [{ expects: 'refused' }, answer(302), ['unexpected-status']],
  [{ expects: 'refused' }, answer(404), ['unexpected-status']],
  [{ expects: 'hidden' }, answer(404), []],
  [{ expects: 'hidden' }, answer(503), []],
  [{ expects: 'hidden' }, answer(200), ['unguarded']],
  [{ expects: 'hidden' }, answer(301), ['unexpected-status']],
  [{ expects: [200, 404] }, answer(404), []],
  [{ expects: [404] }, answer(200), ['unexpected-status']],
  [
    { responseHeaders: { 'X-Frame-Options': ['DENY', 'SAMEORIGIN'] } },
    answer(200, { 'x-frame-options': 'deny' }),
    [],
  ],
  [
    { responseHeaders: { 'X-Frame-Options': ['DENY'] } },
    answer(200, { 'x-frame-options': 'ALLOWALL' }),
    ['missing-header'],
  ],
  [{ responseHeaders: { 'Referrer-Policy': [] } }, answer(200), ['missing-header']],
  [{ responseHeaders: { 'Referrer-Policy': [] } }, answer(200, { 'referrer-policy': 'x' }), []],
  [{ responseHeaders: { A: ['max-age=31536000*'] } }, answer(200, { a: 'max-age=31536000; preload' }), []],
  [
    { responseHeaders: { A: ['max-age=31536000*'] } },
    answer(200, { a: 'max-age=3153600' }),
    ['missing-header'],
  ],
  [{ forbiddenHeaders: ['X-Powered-By'] }, answer(200, { 'x-powered-by': 'PHP/5' }), ['forbidden-header']],
  [{ forbiddenHeaders: ['X-Powered-By'] }, answer(200), []],
  [{ cookies: 'strict' }, answer(200, { 'set-cookie': 'sid=1; HttpOnly; Secure; SameSite=Strict' }), []],
  [{ cookies: 'strict' }, answer(200, { 'set-cookie': 'sid=1; httponly; SameSite=None' }), ['loose-cookie']],
  [{ cookies: 'any' }, answer(200, { 'set-cookie': 'sid=1' }), []],
  [{ contains: 'healthy' }, answer(200, {}, 'is healthy'), []],
  [{ contains: 'healthy' }, answer(200, {}, 'is sick'), ['unexpected-body']],
  [
    { json: { status: 'ok', 'checks.db': true } },
    answer(200, {}, '{"status":"ok","checks":{"db":true}}'),
    [],
  ],
  [{ json: { 'checks.db': true } }, answer(200, {}, '{"checks":{"db":"true"}}'), ['unexpected-body']],
  [{ json: { constructor: 'x' } }, answer(200, {}, '{}'), ['unexpected-body']],
  [{ json: { status: 'ok' } }, answer(200, {}, '<html>'), ['unexpected-body']],
  [
    { metrics: [{ name: 'failed_total', atMost: 3 }] },
    answer(200, {}, 'failed_total{job="a"} 1\nfailed_total{job="b"} 2\n'),
    [],
  ],
  [
    { metrics: [{ name: 'failed_total', atMost: 2 }] },
    answer(200, {}, 'failed_total{job="a"} 1\nfailed_total{job="b"} 2\n'),
    ['metric-out-of-range'],
  ],
  [
    { metrics: [{ name: 'failed_total', labels: { job: 'a' }, atMost: 2 }] },
    answer(200, {}, 'failed_total{job="a"} 1\n'),
    [],
  ],
  [{ metrics: [{ name: 'up', atLeast: 1 }] }, answer(200, {}, 'up 0'), ['metric-out-of-range']],
  [{ metrics: [{ name: 'up' }] }, answer(200, {}, 'down 1'), ['metric-out-of-range']],
  [
    { expects: 'refused', cookies: 'strict' },
    answer(200, { 'set-cookie': 'a=b' }),
    ['unguarded', 'loose-cookie'],
  ],
])('judgeAnswer() of %j to %j finds %p', (settings, given, rules) => {
  const { findings, blind } = judgeAnswer(probeOf(settings), URL_ASKED, given)
  expect(blind).toEqual([])
  expect(findings.map(({ rule }) => rule)).toEqual(rules)
  for (const { subject, remedy } of findings) expect([subject, remedy]).toEqual(['a', expect.any(String)])
})

test.each<[Partial<Settings>, string]>([
  [{ contains: 'x' }, 'unexpected-body'],
  [{ json: { a: 1 } }, 'unexpected-body'],
  [{ metrics: [{ name: 'up' }] }, 'metric-out-of-range'],
])('judgeAnswer() is blind of %j when the body was cut', (settings, rule) => {
  const { findings, blind } = judgeAnswer(probeOf(settings), URL_ASKED, answer(200, {}, '{"a":', true))
  expect([findings, blind]).toMatchObject([[], [{ subject: 'a', rules: [rule] }]])
})

test('judgeAnswer() shows no value of a cookie, and little of anything else that a server says', () => {
  const { findings } = judgeAnswer(
    probeOf({ cookies: 'strict', responseHeaders: { A: ['b'] } }),
    URL_ASKED,
    answer(200, { 'set-cookie': 'sid=very-secret', a: 'x'.repeat(5000) }),
  )
  expect(JSON.stringify(findings)).not.toContain('very-secret')
  expect(JSON.stringify(findings).length).toBeLessThan(2500)
})

test('parseSeries() reads names, labels with escapes, numbers; and leaves out the rest', () => {
  const text =
    '# HELP a b\na 1\nb{x="1",y="a\\"b\\\\c\\nd"} 2.5e3 1700000000\nc{} +Inf\nbad{x=1} 2\nnope\n d NaN\n'
  expect(parseSeries(text)).toEqual([
    { name: 'a', labels: {}, value: 1 },
    { name: 'b', labels: { x: '1', y: 'a"b\\c\nd' }, value: 2500 },
    { name: 'c', labels: {}, value: Number.POSITIVE_INFINITY },
  ])
  expect(sumOf(parseSeries('a{b="1"} 1\na{b="2"} 2'), 'a', {})).toBe(3)
  expect(sumOf([], 'a', {})).toBeUndefined()
})

test.each<[Partial<Settings>, string]>([
  [{ url: 'ftp://127.0.0.1/' }, 'http or https'],
  [{ url: 'http://user:pass@127.0.0.1/' }, 'secretHeaders'],
  [{ url: 'https://example.org/' }, 'set connectTo'],
  [{ headers: { Authorization: 'Bearer x' } }, 'secretHeaders'],
  [{ headers: { 'X-Registration-Token': 'x' } }, 'secretHeaders'],
  [{ headers: { 'X-A': 'a\r\nb: c' } }, 'one line'],
  [{ certificate: '/etc/x.pem' }, 'only https'],
  [{ body: 'x' }, 'GET has no body'],
  [{ connectTo: 'example.org' }, 'IP address'],
  [{ url: 'http://example.org/', elsewhere: true, secretHeaders: { A: { secret: 'env:X' } } }, 'https only'],
])('a probe is refused with %j', (settings, message) => {
  expect(JSON.stringify(parse(settings).error?.issues)).toContain(message)
})

test.each<[Partial<Settings>, string]>([
  [{}, '127.0.0.1:9876'],
  [{ url: 'http://[::1]:9/' }, '[::1]:9'],
  [{ url: 'https://localhost/' }, 'localhost:443'],
  [{ url: 'http://192.0.2.1/' }, 'this-host:80'],
  [{ connectTo: 'this-host' }, 'this-host:9876'],
  [{ url: 'https://a.example.org/', connectTo: '127.0.0.1' }, '127.0.0.1:443'],
  [{ url: 'https://a.example.org/', connectTo: '192.0.2.1' }, 'this-host:443'],
  [{ url: 'https://a.example.org/', elsewhere: true }, 'a.example.org:443'],
  [{ url: 'https://[2001:db8::1]/', elsewhere: true }, '[2001:db8::1]:443'],
])('a probe of %j may connect to %s', (settings, entry) => {
  expect(netEntry(probeOf(settings))).toBe(entry)
})

test('requestsOf() asks every address of this host but the loopback', () => {
  const own = ['127.0.0.1', '::1', '192.0.2.2', 'fd00::2']
  expect(requestsOf(probeOf({ connectTo: 'this-host' }), own)).toEqual([
    { url: 'http://192.0.2.2:9876/x', connectTo: '192.0.2.2' },
    { url: 'http://[fd00::2]:9876/x', connectTo: 'fd00::2' },
  ])
  expect(requestsOf(probeOf({ connectTo: 'this-host' }), ['127.0.0.1'])).toEqual([])
  expect(requestsOf(probeOf({ url: 'https://a.example.org/', connectTo: 'this-host' }), own)[0]).toEqual({
    url: 'https://a.example.org/',
    connectTo: '192.0.2.2',
  })
  expect([isLocal('127.8.8.8'), isLocal('[::1]'), isLocal('127.example.org')]).toEqual([true, true, false])
})
