import { expect, test } from 'bun:test'
import { renderExposition } from '../../../agent/api/exposition.ts'
import { metrics } from '../../../agent/store/schema.ts'
import { NOW, type TestHost, testHost } from './host.ts'

async function scrape(host: TestHost): Promise<string> {
  const response = await host.app().fetch('/metrics', { token: host.token('read') })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return response.text()
}

test('renderExposition() writes each family once, with sorted labels', () => {
  const text = renderExposition([
    { name: 'a', help: 'First', samples: [{ labels: { z: '1', b: '2' }, value: 1 }] },
    { name: 'b', help: 'Second', samples: [{ value: 0.5 }] },
    { name: 'a', help: 'Ignored', samples: [{ value: 2 }] },
    { name: 'c', help: 'Without a series', samples: [] },
  ])
  expect(text).toBe(
    '# HELP a First\n# TYPE a gauge\na{b="2",z="1"} 1\na 2\n# HELP b Second\n# TYPE b gauge\nb 0.5\n',
  )
})

test('renderExposition() escapes what would break a line', () => {
  const labels = { path: 'a"b\\c\nd\udcff' }
  expect(renderExposition([{ name: 'x', help: 'one\ntwo\\', samples: [{ labels, value: 1 }] }])).toBe(
    '# HELP x one\\ntwo\\\\\n# TYPE x gauge\nx{path="a\\"b\\\\c\\nd\ufffd"} 1\n',
  )
})

test.each([
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [1e21, '1e+21'],
  [-0.1, '-0.1'],
])('renderExposition() writes the value %p as %p', (value, text) => {
  expect(renderExposition([{ name: 'x', help: '', samples: [{ value }] }])).toEndWith(`\nx ${text}\n`)
})

test('renderExposition() writes a series once: the last value counts', () => {
  const samples = [
    { labels: { a: '1' }, value: 1 },
    { labels: { a: '1' }, value: 2 },
  ]
  expect(renderExposition([{ name: 'x', help: '', samples }])).toEndWith('gauge\nx{a="1"} 2\n')
})

test('/metrics counts who was denied within a day', async () => {
  using host = testHost()
  const app = host.app()
  const good = host.token('read')
  const denied = async () =>
    /^reeve_denied_requests (\d+)$/m.exec(await (await app.fetch('/metrics', { token: good })).text())?.[1]
  expect(await denied()).toBe('0')
  await app.fetch('/v1/jobs', { token: 'wrong', remote: '192.0.2.1' })
  await app.fetch('/v1/reload', { method: 'POST', token: good })
  expect(await denied()).toBe('2')
  host.clock.now += 86_400_001
  expect(await denied()).toBe('0')
})

test('/metrics tells the state of jobs, findings and alerts', async () => {
  using host = testHost({ filled: true })
  const lines = (await scrape(host)).split('\n')
  for (const line of [
    'reeve_build_info{version="0.1.0-test"} 1',
    'reeve_ready 1',
    'reeve_host_state{state="refused"} 1',
    'reeve_host_state{state="ok"} 0',
    'reeve_job_state{job="credentials",plugin="credential-age",state="blind"} 1',
    'reeve_job_state{job="credentials",plugin="credential-age",state="ok"} 0',
    'reeve_job_confined{job="listeners",plugin="command"} 0',
    `reeve_job_last_success_timestamp_seconds{job="permissions",plugin="permission-drift"} ${(NOW - 8 * 60_000) / 1000}`,
    'reeve_job_last_run_duration_seconds{job="nightly-backup",plugin="backup"} 64',
    'reeve_findings_open{job="permissions",plugin="permission-drift",severity="critical"} 1',
    'reeve_outbox_messages{state="dead"} 1',
    'reeve_backup_size_bytes{job="nightly-backup"} 734003200',
    'reeve_command_open{exported_job="x",job="listeners",port="\\"80\\"\\n\\\\"} 3',
  ]) {
    expect(lines).toContain(line)
  }
})

test('/metrics shows no time where nothing has happened', async () => {
  using host = testHost({ filled: true })
  const text = await scrape(host)
  expect(text).not.toContain('reeve_job_last_success_timestamp_seconds{job="inventory"')
  expect(text).not.toContain('reeve_job_last_success_timestamp_seconds{job="credentials"')
  expect(text).not.toContain('reeve_good_since_timestamp_seconds')
  expect(text).not.toContain(' 0.000')
})

test('/metrics leaves out the metrics of a job that is gone', async () => {
  using host = testHost({ filled: true })
  const row = { job: 'gone', name: 'left_over', labels: '{}', value: 1, runId: 1, at: NOW }
  host.store.orm.insert(metrics).values(row).run()
  expect(await scrape(host)).not.toContain('left_over')
})

test('/metrics is bounded, and says where it left something out', async () => {
  using host = testHost({ filled: true })
  const rows = Array.from({ length: 1500 }, (_, index) => ({
    job: 'smart',
    name: 'sector',
    labels: JSON.stringify({ number: String(index) }),
    value: index,
    runId: 1,
    at: NOW,
  }))
  host.store.orm.insert(metrics).values(rows).run()
  const text = await scrape(host)
  expect(text.match(/^reeve_command_sector\{/gm)?.length).toBe(1000)
  expect(text).toContain('reeve_job_series_dropped{job="smart"} 1')
})

const promtool = Bun.which('promtool')

test.skipIf(!promtool)('promtool accepts /metrics (skipped where promtool is not installed)', async () => {
  using host = testHost({ filled: true })
  const check = Bun.spawn([promtool ?? 'promtool', 'check', 'metrics'], {
    stdin: Buffer.from(await scrape(host)),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const said = `${await check.stdout.text()}${await check.stderr.text()}`
  expect(`${await check.exited} ${said.trim()}`).toBe('0 ')
})
