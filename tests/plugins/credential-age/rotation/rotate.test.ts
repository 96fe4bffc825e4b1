import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Finding } from '../../../../agent/contract/mod.ts'
import type { configSchema } from '../../../../plugins/credential-age/config.ts'
import plugin from '../../../../plugins/credential-age/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../../kit/plugin.ts'
import { CLIENT_OF_ANOTHER, DAY, NOW, OLD, Service } from './service.ts'

const due: Finding[] = [
  { rule: 'credential-rotation-due', subject: 'service', severity: 'warning', summary: 'due', fixable: true },
]

function rotating(config: z.input<typeof configSchema>, directory: string) {
  const at = (nowMs: number) =>
    pluginUnderTest(plugin, config, { stateDir: join(directory, 'state'), now: new Date(nowMs) })
  return {
    apply: async (nowMs: number) => (await at(nowMs).apply(due)).findings.map(({ summary }) => summary),
    check: async (nowMs: number) => (await at(nowMs).check()).findings.map(({ rule }) => rule),
  }
}

const accepts = ({ verify }: Service, value: string) =>
  Bun.spawnSync(verify, { stdin: Buffer.from(`${value}\n`) }).exitCode === 0
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const read = (path: string) => readFileSync(path, 'utf8')

test('apply rotates the variable of an env-file: new, reloaded, proven; after the overlap the old one is refused', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`# service\nAPI_TOKEN=${OLD}\nPORT=80\n`)
  const job = rotating(service.config('env-file', { entry: 'API_TOKEN' }), work.path)
  expect(await job.apply(NOW)).toEqual([])
  const [, now] = /API_TOKEN=(.*)/.exec(read(service.file)) ?? []
  expect(now).toMatch(/^[0-9a-f]{64}$/)
  expect(read(service.file)).toBe(`# service\nAPI_TOKEN=${now}\nPORT=80\n`)
  expect(accepts(service, now ?? '')).toBe(true)
  expect(read(`${service.file}.reeve-previous`)).toContain(OLD)
  // The overlap is not over: nothing is to be done, and nothing is.
  expect(await job.check(NOW + DAY / 2)).toEqual([])
  expect(await job.apply(NOW + DAY / 2)).toEqual([])
  expect(existsSync(`${service.file}.reeve-previous`)).toBe(true)
  expect(await job.check(NOW + 2 * DAY)).toEqual(['credential-rotation-due'])
  expect(await job.apply(NOW + 2 * DAY)).toEqual([])
  expect(await job.check(NOW + 2 * DAY)).toEqual([])
  expect(accepts(service, OLD)).toBe(false)
  expect(readdirSync(join(work.path, 'etc'))).toEqual(['secret'])
  expect(statSync(service.file).mode & 0o777).toBe(0o600)
  expect(
    readdirSync(join(work.path, 'state/rotations'))
      .map((name) => read(join(work.path, 'state/rotations', name)))
      .join(),
  ).not.toContain(OLD)
})

test('apply rotates a token beside the others, and gives it to its client, before it removes the old one', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`# billing\n${OLD}\n# other\n${CLIENT_OF_ANOTHER}\n`)
  writeFileSync(service.client, `SERVICE_TOKEN=${OLD}\n`)
  const deliver = [{ path: service.client, key: 'SERVICE_TOKEN' }]
  const job = rotating(service.config('token-file', { entry: 'billing', deliver }), work.path)
  expect(await job.apply(NOW)).toEqual([])
  const [, now = ''] = /SERVICE_TOKEN=(.*)/.exec(read(service.client)) ?? []
  expect([OLD, now, CLIENT_OF_ANOTHER].map((token) => accepts(service, token))).toEqual([true, true, true])
  expect(await job.apply(NOW + 2 * DAY)).toEqual([])
  expect([OLD, now, CLIENT_OF_ANOTHER].map((token) => accepts(service, token))).toEqual([false, true, true])
  expect(read(service.file)).toBe(`# billing 2027-03-01\n${now}\n# other\n${CLIENT_OF_ANOTHER}\n`)
  expect([...readdirSync(join(work.path, 'etc')), ...readdirSync(join(work.path, 'client'))]).toEqual([
    'secret',
    'env',
  ])
})

test('apply rotates a token of which only the hash is kept', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`# billing\n${sha256(OLD)}\n`)
  writeFileSync(service.client, `${OLD}\n`)
  const job = rotating(
    service.config('token-file', { deliver: [{ path: service.client }] }, { form: 'sha256' }),
    work.path,
  )
  expect(await job.apply(NOW)).toEqual([])
  const now = read(service.client).trim()
  expect(now).not.toBe(OLD)
  expect(read(service.file)).toContain(sha256(now))
  expect(await job.apply(NOW + 2 * DAY)).toEqual([])
  expect([OLD, now].map((token) => accepts(service, token))).toEqual([false, true])
})

test('apply takes everything back when the new value is not accepted, and says why without any value', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`API_TOKEN=${OLD}\n`)
  const refuse = service.program('refuse', 'read -r value; echo "no: $value" >&2; exit 1')
  const job = rotating(service.config('env-file', { verify: [refuse] }), work.path)
  const [failure = ''] = await job.apply(NOW)
  expect(failure).toEndWith('refuse ended with 1: no: [redacted]')
  expect(read(service.file)).toBe(`API_TOKEN=${OLD}\n`)
  expect(accepts(service, OLD)).toBe(true)
  expect(await job.check(NOW)).toEqual(['credential-rotation-failed'])
  expect(readdirSync(join(work.path, 'etc'))).toEqual(['secret'])
})

test.each([
  ['the service does not reload', { reload: [['/bin/false']] }, '/bin/false ended with 1'],
  ['the generator fails', { generate: ['/bin/false'] }, '/bin/false ended with 1'],
  [
    'the generator is weak',
    { generate: ['/bin/echo', 'short'] },
    'the new value is not one word of at least 32',
  ],
  ['the program is missing', { verify: ['/no/such/program'] }, 'no such program'],
  ['a program hangs', { verify: ['/bin/sleep', '60'], timeout: '1s' }, '/bin/sleep did not end within 1 s'],
])('apply takes everything back when %s', async (_, rotation, reason) => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`API_TOKEN=${OLD}\n`)
  const [failure = ''] = await rotating(service.config('env-file', rotation), work.path).apply(NOW)
  expect(failure).toContain(reason)
  expect(read(service.file)).toBe(`API_TOKEN=${OLD}\n`)
  expect(readdirSync(join(work.path, 'etc'))).toEqual(['secret'])
})

test('apply does not finish while the old value is still accepted', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`# billing\n${OLD}\n`)
  writeFileSync(service.client, `T=${OLD}\n`)
  const rotation = { deliver: [{ path: service.client, key: 'T' }] }
  const job = rotating(service.config('token-file', rotation), work.path)
  expect(await job.apply(NOW)).toEqual([])
  // A second file from which the service takes tokens, too.
  service.program('verify', 'exit 0')
  const [failure] = await job.apply(NOW + 2 * DAY)
  expect(failure).toEndWith('the old value is still accepted')
  expect(await job.check(NOW + 2 * DAY)).toEqual(['credential-old-accepted'])
  service.program('verify', 'exit 7')
  expect((await job.apply(NOW + 2 * DAY))[0]).toEndWith('verify ended with 7')
  service.program('verify', 'exit 1')
  expect(await job.apply(NOW + 2 * DAY)).toEqual([])
  expect(await job.check(NOW + 2 * DAY)).toEqual([])
})

test('check asks for a rotation by itself only where it is automatic and due', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`API_TOKEN=${OLD}\n`)
  const rotatedAt = '2027-02-01'
  const checks = (rotation: Record<string, unknown>) =>
    rotating(service.config('env-file', rotation, { rotatedAt, maxAge: '90d' }), work.path)
  const later = Date.parse('2027-04-28T00:00:00Z')
  expect(await checks({}).check(later)).not.toContain('credential-rotation-due')
  expect(await checks({ automatic: true }).check(NOW)).not.toContain('credential-rotation-due')
  expect(await checks({ automatic: true }).check(later)).toContain('credential-rotation-due')
})

test('check says when a declared rotation cannot work', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`${sha256(OLD)}\n`)
  const report = await pluginUnderTest(plugin, service.config('token-file', {}, { form: 'sha256' }), {
    stateDir: join(work.path, 'state'),
    now: new Date(NOW),
  }).check()
  expect(report.findings).toMatchObject([
    { rule: 'credential-rotation-failed', summary: expect.stringContaining('`deliver` must say') },
  ])
})

test('apply refuses a link in place of the file, and a file that is not the one it knows', async () => {
  using work = temporaryDirectory()
  const service = new Service(work.path)
  service.start(`A_TOKEN=${OLD}\nB_TOKEN=${CLIENT_OF_ANOTHER}\n`)
  const [ambiguous = ''] = await rotating(service.config('env-file'), work.path).apply(NOW)
  expect(ambiguous).toContain('has 2 secrets; set rotation.entry to one of A_TOKEN, B_TOKEN')
})
