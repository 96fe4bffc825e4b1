import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { PERMISSION_KEYS, type Permissions } from '../../../agent/contract/permissions.ts'
import { ungranted } from '../../../agent/engine/grant.ts'

const cases: [asked: Permissions, granted: Permissions, missing: string[]][] = [
  [{}, {}, []],
  [{ read: ['/etc/shadow'] }, {}, ['read /etc/shadow']],
  [{ read: ['/etc/shadow'] }, { read: ['/etc/shadow'] }, []],
  [{ read: ['/etc/shadow'] }, { read: ['/etc'] }, []],
  [{ read: ['/etc'] }, { read: ['/etc/shadow'] }, ['read /etc']],
  [{ read: ['/etcetera'] }, { read: ['/etc'] }, ['read /etcetera']],
  [{ read: ['/etc/a'] }, { read: ['/'] }, []],
  [{ read: ['/etc/*.conf'] }, { read: ['/etc'] }, []],
  [{ read: ['/e*/shadow'] }, { read: ['/etc'] }, ['read /e*/shadow']],
  [{ read: ['/etc/../root/x'] }, { read: ['/etc'] }, ['read /etc/../root/x']],
  [{ read: ['/etc/..'] }, { read: ['/etc'] }, ['read /etc/..']],
  [{ read: ['/etc/{..,a}'] }, { read: ['/etc'] }, ['read /etc/{..,a}']],
  [{ read: ['/etc/{a,../root}'] }, { read: ['/etc'] }, ['read /etc/{a,../root}']],
  [{ read: ['{/etc,/root}/x'] }, { read: ['/etc'] }, ['read {/etc,/root}/x']],
  [{ read: ['/{etc,root}/x'] }, { read: ['/etc', '/root'] }, ['read /{etc,root}/x']],
  [{ read: ['/etc/a..b'] }, { read: ['/etc'] }, []],
  [{ read: ['/etc//x'] }, { read: ['/etc'] }, ['read /etc//x']],
  [{ read: ['etc'] }, { read: ['/'] }, ['read etc']],
  // One kind of access does not stand for another.
  [{ read: ['/a'] }, { write: ['/a'] }, ['read /a']],
  [{ list: ['/a'] }, { read: ['/a'] }, ['list /a']],
  [{ attributes: ['/a/b'] }, { attributes: ['/a'] }, []],
  [{ attributes: ['/a/b'] }, { write: ['/a'] }, ['attributes /a/b']],
  [{ net: ['127.0.0.1:80'] }, { net: ['127.0.0.1:8080'] }, ['net 127.0.0.1:80']],
  [{ net: ['unix:/run/a/b'] }, { net: ['unix:/run/a'] }, ['net unix:/run/a/b']],
  [{ run: [['/bin/sh', '-c', 'x']] }, { run: [['/bin/sh', '…']] }, ['run /bin/sh -c x']],
  [{ run: [['/bin/sh', '-c', 'x']] }, { run: [['/bin/sh', '-c', 'x']] }, []],
  [{ run: [['/bin/sh', '-c x']] }, { run: [['/bin/sh', '-c', 'x']] }, ['run /bin/sh -c x']],
  [{ env: ['HOME'] }, { env: ['HOM'] }, ['env HOME']],
  [{ secrets: ['file:/a/b'] }, { secrets: ['file:/a'] }, ['secrets file:/a/b']],
  [{ capabilities: ['CAP_KILL'] }, {}, ['capabilities CAP_KILL']],
  [{ read: ['/a'], write: ['/b'], net: ['h:1'] }, { write: ['/b'] }, ['read /a', 'net h:1']],
]
for (const [asked, granted, missing] of cases) {
  test(`ungranted() gives ${JSON.stringify(missing)} for ${JSON.stringify(asked)} when ${JSON.stringify(granted)} is granted`, () => {
    expect(ungranted(asked, granted)).toEqual(missing)
  })
}

const text = fc.oneof(
  fc.constantFrom(
    '/',
    '/etc',
    '/etc/a',
    '/etc/a/b',
    '/srv',
    '/srv/..',
    '/etc/{..,a}',
    '/etc/*',
    'h:1',
    'CAP_KILL',
  ),
  fc.string({ maxLength: 8 }),
)
const words = fc
  .tuple(text, fc.array(text, { maxLength: 2 }))
  .map(([first, rest]): [string, ...string[]] => [first, ...rest])
const texts = fc.array(text, { maxLength: 3 })
const permissions: fc.Arbitrary<Permissions> = fc.record(
  {
    list: texts,
    read: texts,
    write: texts,
    attributes: texts,
    net: texts,
    run: fc.array(words, { maxLength: 3 }),
    env: texts,
    secrets: texts,
    capabilities: texts,
  },
  { requiredKeys: [] },
)
const options = { seed: 20260302, numRuns: 500 }

test('ungranted() is empty when all that is asked for is granted word by word', () => {
  fc.assert(
    fc.property(permissions, (asked) => expect(ungranted(asked, asked)).toEqual([])),
    options,
  )
})

test('ungranted() names everything when nothing is granted', () => {
  fc.assert(
    fc.property(permissions, (asked) => {
      const count = PERMISSION_KEYS.reduce((sum, key) => sum + (asked[key]?.length ?? 0), 0)
      expect(ungranted(asked, {})).toHaveLength(count)
    }),
    options,
  )
})

test('ungranted() never becomes longer by a further grant', () => {
  fc.assert(
    fc.property(permissions, permissions, permissions, (asked, granted, more) => {
      const both = Object.fromEntries(
        PERMISSION_KEYS.map((key) => [key, [...(granted[key] ?? []), ...(more[key] ?? [])]]),
      )
      const before = ungranted(asked, granted)
      expect(before).toEqual(expect.arrayContaining(ungranted(asked, both)))
    }),
    options,
  )
})
