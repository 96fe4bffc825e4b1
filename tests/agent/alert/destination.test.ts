import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { hostMatches, parseDestination, type Reach, refuseAddress } from '../../../agent/alert/destination.ts'

test('parseDestination() takes the parts of an https URL and shows only its origin', () => {
  expect(parseDestination('https://Hooks.Example.org./services/T0/B0?a=1', [])).toEqual({
    origin: 'https://hooks.example.org.',
    secure: true,
    host: 'hooks.example.org',
    port: 443,
    path: '/services/T0/B0?a=1',
    explicit: false,
    listed: false,
  })
})

test.each([
  ['http://127.0.0.1:9000/x', '127.0.0.1', 9000],
  ['http://localhost/x', 'localhost', 80],
  ['http://[::1]:81/x', '::1', 81],
  ['https://10.0.0.5/x', '10.0.0.5', 443],
  ['https://0x7f.1/x', '127.0.0.1', 443],
])('parseDestination() takes %s as a host that speaks for itself', (url, host, port) => {
  expect(parseDestination(url, [])).toMatchObject({ host, port, explicit: true })
})

test.each([
  ['http://hooks.example.org/secret-path', 'use https'],
  ['http://127.0.0.1.example.org/secret-path', 'use https'],
  ['http://localhost.example.org/secret-path', 'use https'],
  ['ftp://hooks.example.org/secret-path', 'no https:// URL'],
  ['file:///secret-path', 'no https:// URL'],
  ['secret-path', 'no https:// URL'],
  ['', 'no https:// URL'],
  ['https://user:secret-path@hooks.example.org/', 'user name or a password'],
])('parseDestination() refuses %p without showing its path', (url, reason) => {
  let message = ''
  try {
    parseDestination(url, [])
  } catch (error) {
    message = String(error)
  }
  expect(message).toContain(reason)
  expect(message).not.toContain('secret-path')
})

test('parseDestination() lets only listed hosts through when there is a list', () => {
  const allowed = ['hooks.example.org', '*.example.net']
  expect(parseDestination('https://hooks.example.org/x', allowed).listed).toBe(true)
  expect(parseDestination('https://a.b.example.net/x', allowed).listed).toBe(false)
  for (const host of ['example.net', 'other.example.org', 'hooks.example.org.evil.test', 'xexample.net']) {
    expect(() => parseDestination(`https://${host}/x`, allowed)).toThrow('alerts.allowedHosts')
  }
})

test.each([
  ['example.org', 'example.org', true],
  ['EXAMPLE.org', 'example.ORG.', true],
  ['example.org', 'a.example.org', false],
  ['*.example.org', 'a.example.org', true],
  ['*.example.org', 'a.b.example.org', true],
  ['*.example.org', 'example.org', false],
  ['*.example.org', '.example.org', false],
  ['*.example.org', 'aexample.org', false],
  ['*', 'example.org', false],
  ['*.', 'example.org', false],
  ['a.*.org', 'a.example.org', false],
  ['[::1]', '::1', true],
  ['', '', true],
])('hostMatches(%p, %p) is %p', (pattern, host, expected) => {
  expect(hostMatches(pattern, host)).toBe(expected)
})

const label = fc.stringMatching(/^[a-z0-9]{1,8}$/)
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))

test('hostMatches() agrees with a comparison of labels from the right, for any names', () => {
  fc.assert(
    fc.property(name, name, fc.boolean(), fc.boolean(), (pattern, other, wildcard, below) => {
      const host = below ? `${other}.${pattern}` : other
      const wanted = pattern.split('.')
      const given = host.split('.')
      const expected = wildcard
        ? given.length > wanted.length && given.slice(-wanted.length).join() === wanted.join()
        : given.join() === wanted.join()
      expect(hostMatches(wildcard ? `*.${pattern}` : pattern, host)).toBe(expected)
    }),
    { seed: 2 },
  )
})

const REACHES: Reach[] = ['public', 'private', 'loopback', 'forbidden']

test.each([
  ['a public name', 'https://hooks.example.org/', [], ['public']],
  ['a listed name', 'https://hooks.example.org/', ['hooks.example.org'], ['public', 'private', 'loopback']],
  ['a name listed by wildcard only', 'https://hooks.example.org/', ['*.example.org'], ['public']],
  ['an address', 'https://10.0.0.5/', [], ['public', 'private', 'loopback']],
  ['localhost', 'https://localhost/', [], ['public', 'private', 'loopback']],
  ['http on this host', 'http://localhost/', [], ['loopback']],
] as const)(
  'refuseAddress() of %s lets only the right addresses through',
  (_case, url, allowed, expected) => {
    const destination = parseDestination(url, [...allowed])
    const passed = REACHES.filter((reach) => refuseAddress(destination, '192.0.2.1', reach) === undefined)
    expect(passed).toEqual([...expected])
  },
)
