import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configSchema } from '../../../../plugins/backup/config.ts'
import { elementOf } from '../../../../plugins/backup/destination/s3/client.ts'
import { S3Destination } from '../../../../plugins/backup/destination/s3/s3.ts'
import { partBytesFor } from '../../../../plugins/backup/destination/s3/upload.ts'
import { S3_SECRETS, S3Server } from '../../../kit/s3-server.ts'
import { BackupFixture, DAY_MS, onDisk, rulesOf } from '../fixture.ts'

setDefaultTimeout(60_000)
const MB = 1_000_000

let running: S3Server | undefined
beforeAll(async () => {
  running = await S3Server.start()
})
afterAll(() => running?.[Symbol.asyncDispose]())

function store(): S3Server {
  if (!running) throw new Error('there is no store')
  return running
}

/** A job that keeps its backups on a disk and in the store, below a prefix of its own there. */
class DiskAndStore extends BackupFixture {
  constructor(
    readonly prefix: string,
    changes: Record<string, unknown> = {},
    disk = `/tmp/reeve-s3-${crypto.randomUUID()}`,
  ) {
    super({
      destinations: [onDisk(disk), { ...store().destination(prefix), ...changes }],
      retention: { keepLast: 2 },
    })
    this.secrets = { ...this.secrets, ...S3_SECRETS }
    this.disk = disk
    Bun.spawnSync(['mkdir', '-m', '0700', disk])
    store().intercept = () => undefined
  }

  readonly disk: string

  override [Symbol.dispose](): void {
    Bun.spawnSync(['rm', '-rf', this.disk])
    super[Symbol.dispose]()
  }

  nextDay() {
    this.now = new Date(this.now.getTime() + DAY_MS)
    return this.enforce()
  }
}

const isSeal = (name: string) => name.endsWith('.sha256.asc')
/** Keys of backups, without their seals. */
const backupsIn = async (prefix: string) =>
  (await store().keys(prefix)).filter((key) => !isSeal(key) && !key.includes('/.reeve-lock-'))
const onDiskOf = ({ disk }: DiskAndStore) => readdirSync(disk).filter((name) => !isSeal(name))

test('a backup goes to the store in one request when it is small, and is the same there', async () => {
  using fixture = new DiskAndStore('small/')
  fixture.write('a', 'a')
  const { after } = await fixture.enforce()
  expect(after.findings).toEqual([])
  const [name = ''] = onDiskOf(fixture)
  expect(await backupsIn('small/')).toEqual([`small/${name}`])
  const stored = await store().client().file(`small/${name}`).bytes()
  expect(Buffer.from(stored).equals(readFileSync(join(fixture.disk, name)))).toBe(true)
})

test('a large backup goes in parts, and appears only when it is whole', async () => {
  using fixture = new DiskAndStore('large/')
  fixture.write('large', crypto.getRandomValues(new Uint8Array(20 * MB)))
  let seen: string[] = []
  store().intercept = ({ query }) => {
    if (query.partNumber === '3') void backupsIn('large/').then((keys) => (seen = keys))
    return undefined
  }
  expect((await fixture.enforce()).after.findings).toEqual([])
  const parts = store().requests.filter(({ path, query }) => path.includes('/large/') && query.partNumber)
  expect(parts.length).toBe(3)
  expect(seen).toEqual([])
  expect((await backupsIn('large/')).length).toBe(1)
  expect(
    existsSync(join(fixture.stateDir, 'uploads.json')) &&
      readFileSync(join(fixture.stateDir, 'uploads.json'), 'utf8'),
  ).toBe('[]')
})

test('an upload that was cut off goes on where it ended', async () => {
  using fixture = new DiskAndStore('cut/')
  fixture.write('large', crypto.getRandomValues(new Uint8Array(20 * MB)))
  store().intercept = ({ query }) =>
    query.partNumber === '3' ? { status: 403, code: 'AccessDenied' } : undefined
  const first = await fixture.enforce()
  expect(rulesOf(first.applied)).toEqual(['delivery-failed'])
  expect(first.applied.findings[0]?.summary).toContain('is not allowed to do it')
  expect(await backupsIn('cut/')).toEqual([])

  store().intercept = () => undefined
  expect((await fixture.enforce()).after.findings).toEqual([])
  const sent = store().requests.filter(({ path, query }) => path.includes('/cut/') && query.partNumber)
  expect(sent.map(({ query }) => query.partNumber)).toEqual(['1', '2', '3', '3'])
  expect(
    store().requests.filter(({ path, query }) => path.includes('/cut/') && query.uploads === '').length,
  ).toBe(1)
})

test('an upload that the store has forgotten begins anew', async () => {
  using fixture = new DiskAndStore('forgotten/')
  fixture.write('large', crypto.getRandomValues(new Uint8Array(20 * MB)))
  store().intercept = ({ query }) =>
    query.partNumber === '2' ? { status: 404, code: 'NoSuchUpload' } : undefined
  expect((await fixture.enforce()).applied.findings[0]?.summary).toContain('begins anew')
  store().intercept = () => undefined
  expect((await fixture.enforce()).after.findings).toEqual([])
})

test('an answer that says to try again is tried again', async () => {
  using fixture = new DiskAndStore('busy/')
  fixture.write('a', 'a')
  let refusals = 1
  store().intercept = ({ method }) =>
    method === 'PUT' && refusals-- > 0 ? { status: 503, code: 'SlowDown' } : undefined
  expect((await fixture.enforce()).after.findings).toEqual([])
})

test('what the store locks is asked to be locked', async () => {
  using fixture = new DiskAndStore('locked/', { objectLock: { mode: 'compliance', days: 30 } })
  fixture.write('a', 'a')
  await fixture.enforce()
  const put = store().requests.find(({ method, path }) => method === 'PUT' && /\/locked\/.*\.gpg$/.test(path))
  expect(put?.headers['x-amz-object-lock-mode']).toBe('COMPLIANCE')
  expect(put?.headers['content-md5']).toMatch(/==$/)
  const until = new Date(String(put?.headers['x-amz-object-lock-retain-until-date'])).getTime()
  expect(Math.abs(until - Date.now() - 30 * DAY_MS)).toBeLessThan(60_000)
})

test('a key that may not delete is no failure: retention says that it is held', async () => {
  using fixture = new DiskAndStore('append/')
  fixture.write('a', 'a')
  await fixture.enforce()
  store().intercept = ({ method }) =>
    method === 'DELETE' ? { status: 403, code: 'AccessDenied' } : undefined
  await fixture.nextDay()
  const { applied, after } = await fixture.nextDay()
  expect(applied.findings.map(({ rule, severity }) => [rule, severity])).toEqual([['retention-held', 'info']])
  expect(after.findings).toEqual([])
  expect([onDiskOf(fixture).length, (await backupsIn('append/')).length]).toEqual([2, 3])
})

test.each<[string, { status: number; code: string }, string]>([
  ['an unknown key', { status: 403, code: 'InvalidAccessKeyId' }, 'access key ID is not known'],
  ['a wrong key', { status: 403, code: 'SignatureDoesNotMatch' }, 'secret access key is wrong'],
  ['a bucket that is not there', { status: 404, code: 'NoSuchBucket' }, 'no such bucket'],
])('a store that refuses %s is told, and the disk gets its backup', async (_what, answer, reason) => {
  using fixture = new DiskAndStore('refused/')
  fixture.write('a', 'a')
  store().intercept = () => answer
  const { applied, after } = await fixture.enforce()
  expect(applied.findings[0]?.summary).toContain(reason)
  expect(rulesOf(after)).toEqual(['destination-unavailable', 'backup-overdue'])
  expect(onDiskOf(fixture).length).toBe(1)
})

test('a store that answers rubbish, or not at all, is told', async () => {
  const rubbish = Bun.serve({ port: 0, fetch: () => new Response('<html>Welcome</html>') })
  using fixture = new DiskAndStore('x/', { endpoint: `http://127.0.0.1:${rubbish.port}` })
  fixture.write('a', 'a')
  expect((await fixture.check()).findings.map(({ summary }) => summary).join()).toContain('is not S3')
  await rubbish.stop(true)
  expect((await fixture.check()).findings.map(({ summary }) => summary).join()).toContain(
    'connection refused',
  )
})

test('a store that lists its objects in pages is read to the end', async () => {
  const page = (from: number, next: string) =>
    `<?xml version="1.0"?><ListBucketResult><Name>backups</Name><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>` +
    `<IsTruncated>${next !== ''}</IsTruncated>${next && `<NextContinuationToken>${next}</NextContinuationToken>`}` +
    [from, from + 1]
      .map(
        (index) =>
          `<Contents><Key>x/etc-2026112${index}T000000Z-full.tar.zst.gpg</Key><Size>7</Size>` +
          '<LastModified>2026-11-22T02:29:49.123Z</LastModified><ETag>"e"</ETag></Contents>',
      )
      .join('') +
    '</ListBucketResult>'
  const server = Bun.serve({
    port: 0,
    fetch: (request) =>
      new Response(request.url.includes('continuation-token') ? page(3, '') : page(1, 'more')),
  })
  const config = configSchema.shape.destinations.element.parse({
    ...store().destination('x/'),
    endpoint: `http://127.0.0.1:${server.port}`,
  })
  if (config.type !== 's3') throw new Error('it is another one')
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
  const reader = await S3Destination.open(config, credentials, undefined, new AbortController().signal)
  expect((await reader.list()).map(({ name }) => name.slice(4, 12))).toEqual([
    '20261121',
    '20261122',
    '20261123',
    '20261124',
  ])
  await server.stop(true)
})

test('an object that was changed in the store is noticed, and never removed by retention', async () => {
  using fixture = new DiskAndStore('changed/')
  fixture.write('a', 'a')
  await fixture.enforce()
  const [key = ''] = await backupsIn('changed/')
  await store().client().write(key, 'something else')
  expect(rulesOf((await fixture.nextDay()).after)).toEqual(['backup-damaged'])
  await fixture.nextDay()
  expect(await backupsIn('changed/')).toContain(key)
})

test('no secret stands in the state directory or in a report', async () => {
  using fixture = new DiskAndStore('secrets/')
  fixture.secrets = { ...fixture.secrets, 'env:S3_KEY': 'a-very-secret-access-key' }
  fixture.write('a', 'a')
  const reports = JSON.stringify(await fixture.enforce())
  expect(reports).not.toContain('a-very-secret-access-key')
  for (const name of readdirSync(fixture.stateDir).filter((name) => name.endsWith('.json'))) {
    expect(readFileSync(join(fixture.stateDir, name), 'utf8')).not.toContain('a-very-secret-access-key')
  }
})

test.each([
  [0, 8],
  [70_000 * MB, 8],
  [5_000_000 * MB, 530],
])('partBytesFor() of %d bytes is %d MiB', (bytes, mebibytes) => {
  expect(partBytesFor(bytes)).toBe(mebibytes * 1_048_576)
  expect(bytes / partBytesFor(bytes)).toBeLessThan(10_000)
})

test('elementOf() reads flat answers and their entities', () => {
  expect(
    elementOf('<Error><Code>A</Code><Message>a &lt;b&gt; &quot;c&quot;</Message></Error>', 'Message'),
  ).toBe('a <b> "c"')
  expect(elementOf('<html>', 'Code')).toBeUndefined()
})
