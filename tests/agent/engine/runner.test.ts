import { expect, test } from 'bun:test'
import type { Finding } from '../../../agent/contract/report.ts'
import { takeLock } from '../../../agent/host/lock.ts'
import { memoryOf } from '../../../agent/store/record.ts'
import { addSilence } from '../../../agent/store/silences.ts'
import { Engine, job } from './kit.ts'

const wrong = (subject: string, more: Partial<Finding> = {}): Finding => ({
  rule: 'wrong',
  subject,
  severity: 'warning',
  summary: `${subject} is wrong`,
  ...more,
})
const enforcing = job({ mode: 'enforce', permissions: { check: {}, apply: {} } })
const failed = { status: 'failed' as const, sandbox: null, reason: 'no such program' }
const timeout = { status: 'timeout' as const, sandbox: 'landlock-7+seccomp', reason: 'too long' }
const ended = { status: 'ended' as const, sandbox: null, reason: 'reeve stopped' }

test('Runner writes a run with its findings, facts, metrics and artifacts', async () => {
  using engine = new Engine()
  const summary = await engine.run(job(), {
    findings: [wrong('/a')],
    blind: [{ subject: '/b', reason: 'permission denied' }],
    facts: [{ kind: 'log', subject: '/l', data: { bytes: 1 } }],
    metrics: [{ name: 'seen', value: 2, labels: { b: '1', a: '2' } }],
    artifacts: [{ kind: 'archive', path: '/x', bytes: 3 }],
    coverage: { examined: 4, skipped: 5 },
    memory: { since: 1 },
  })
  expect(summary).toMatchObject({ runId: 1, outcome: 'findings', findingCount: 1 })
  expect(engine.runs()).toMatchObject([
    {
      job: 'watch',
      plugin: 'command',
      trigger: 'manual',
      actor: 'test',
      outcome: 'findings',
      reason: 'could not examine /b: permission denied',
      sandbox: 'landlock-7+seccomp',
      examined: 4,
      skipped: 5,
      findingCount: 1,
      blind: [{ subject: '/b', reason: 'permission denied' }],
      configDigest: 'digest',
      version: '1.2.3',
      finishedAt: engine.clock.now,
    },
  ])
  expect(engine.news()).toEqual(['opened wrong /a', 'opened job-blind job watch'])
  expect(memoryOf(engine.store, 'watch')).toEqual({ since: 1 })
  const rows = (table: string) => engine.store.sqlite.query(`SELECT * FROM ${table}`).all()
  expect(rows('facts')).toMatchObject([{ subject: '/l', data: '{"bytes":1}' }])
  expect(rows('metrics')).toMatchObject([{ name: 'seen', labels: '{"a":"2","b":"1"}', value: 2 }])
  expect(rows('artifacts')).toMatchObject([{ path: '/x', bytes: 3, run_id: 1 }])
})

test('Runner tells each change once over the life of a finding', async () => {
  using engine = new Engine()
  const news: string[][] = []
  for (const subjects of [['/a'], ['/a'], ['/a', '/b'], ['/b'], ['/a', '/b'], []]) {
    await engine.run(job(), { findings: subjects.map((subject) => wrong(subject)) })
    news.push(engine.news())
  }
  expect(news).toEqual([
    ['opened wrong /a'],
    [],
    ['opened wrong /b'],
    ['resolved wrong /a'],
    ['regressed wrong /a'],
    ['resolved wrong /a', 'resolved wrong /b'],
  ])
  expect(engine.findings()).toMatchObject([
    { subject: '/a', state: 'resolved', regressions: 1 },
    { subject: '/b', state: 'resolved', regressions: 0 },
  ])
})

test('Runner keeps the findings, facts, metrics and memory of before when a run fails', async () => {
  using engine = new Engine()
  const full = {
    findings: [wrong('/a')],
    facts: [{ kind: 'log', subject: '/l', data: {} }],
    metrics: [{ name: 'seen', value: 1 }],
    memory: 'good',
  }
  await engine.run(job(), full)
  engine.news()
  for (const [answer, outcome] of [
    [failed, 'failed'],
    [timeout, 'timeout'],
    [ended, 'interrupted'],
    [{ status: 'done' as const, sandbox: null, answer: { findings: 'none' } }, 'failed'],
    [() => Promise.reject(new Error('a bug')), 'failed'],
  ] as const) {
    const summary = await engine.run(job(), answer)
    expect(summary.outcome).toBe(outcome)
  }
  expect(engine.news()).toEqual(['opened job-failed job watch'])
  expect(engine.findings()).toMatchObject([
    { rule: 'wrong', state: 'open', lastRunId: 1 },
    { rule: 'job-failed', state: 'open', severity: 'critical' },
  ])
  const count = (table: string) => engine.store.sqlite.query(`SELECT count(*) AS n FROM ${table}`).get()
  expect([count('facts'), count('metrics')]).toEqual([{ n: 1 }, { n: 1 }])
  expect(memoryOf(engine.store, 'watch')).toBe('good')

  await engine.run(job(), full)
  expect(engine.news()).toEqual(['resolved job-failed job watch'])
})

test('Runner resolves nothing that it was blind for, and forgets no fact', async () => {
  using engine = new Engine()
  const fact = (subject: string) => ({ kind: 'log', subject, data: {} })
  await engine.run(job(), {
    findings: [wrong('/srv/a'), wrong('/etc/b')],
    facts: [fact('/srv/a'), fact('/etc/b')],
  })
  engine.news()
  await engine.run(job(), {
    findings: [],
    blind: [{ subject: '/srv', reason: 'x' }],
    facts: [fact('/etc/b')],
  })
  expect(engine.news()).toEqual(['opened job-blind job watch', 'resolved wrong /etc/b'])
  const facts = () => engine.store.sqlite.query('SELECT subject FROM facts ORDER BY subject').all()
  expect(facts()).toEqual([{ subject: '/etc/b' }, { subject: '/srv/a' }])
  await engine.run(job(), { findings: [], facts: [fact('/etc/b')] })
  expect(engine.news()).toEqual(['resolved wrong /srv/a', 'resolved job-blind job watch'])
  expect(facts()).toEqual([{ subject: '/etc/b' }])
})

// --- phases ---------------------------------------------------------------------------------------------------------

test('Runner acts on what can be fixed, and believes only the check after it', async () => {
  using engine = new Engine()
  const summary = await engine.run(
    enforcing,
    { findings: [wrong('/a', { fixable: true }), wrong('/b')], memory: 'first' },
    { findings: [wrong('/c')], artifacts: [{ kind: 'archive', path: '/x', bytes: 1 }], memory: 'applied' },
    { findings: [wrong('/b')], metrics: [{ name: 'left', value: 1 }] },
  )
  expect(
    engine.asked.map(({ kind, findings, memory }) => [kind, findings.map((row) => row.subject), memory]),
  ).toEqual([
    ['check', [], undefined],
    ['apply', ['/a'], 'first'],
    ['check', [], 'applied'],
  ])
  // /c went wrong while it acted.
  expect(summary).toMatchObject({ outcome: 'findings', findingCount: 2 })
  expect(engine.news()).toEqual(['opened wrong /b', 'opened wrong /c'])
  expect(memoryOf(engine.store, 'watch')).toBe('applied')
})

test('Runner is not clean when the second check still finds what apply said it had fixed', async () => {
  using engine = new Engine()
  const still = { findings: [wrong('/a', { fixable: true })] }
  const summary = await engine.run(enforcing, still, { findings: [] }, still)
  expect(summary.outcome).toBe('findings')
})

for (const [name, of, report] of [
  ['it only observes', job(), { findings: [wrong('/a', { fixable: true })] }],
  ['nothing can be fixed', enforcing, { findings: [wrong('/a')] }],
  ['nothing is wrong', enforcing, { findings: [] }],
  [
    'the plugin cannot act',
    job({ mode: 'enforce', plugin: { name: 'command', summary: '', file: null, canApply: false } }),
    { findings: [wrong('/a', { fixable: true })] },
  ],
] as const) {
  test(`Runner makes one check and no more when ${name}`, async () => {
    using engine = new Engine()
    await engine.run(of, { ...report, findings: [...report.findings] })
    expect(engine.asked.map(({ kind }) => kind)).toEqual(['check'])
  })
}

test('Runner keeps the artifacts of apply when the check after it fails, and of what was known nothing is lost', async () => {
  using engine = new Engine()
  const fixable = { findings: [wrong('/a', { fixable: true })] }
  const archive = { kind: 'archive', path: '/x', bytes: 1 }
  await engine.run(enforcing, fixable, { findings: [], artifacts: [archive], memory: 'rotated' }, failed)
  expect(engine.runs()).toMatchObject([{ outcome: 'failed', reason: 'check: no such program' }])
  expect(engine.store.sqlite.query('SELECT path FROM artifacts').all()).toEqual([{ path: '/x' }])
  expect(memoryOf(engine.store, 'watch')).toBe('rotated')
})

test('Runner keeps the findings of the first check when apply fails', async () => {
  using engine = new Engine()
  const summary = await engine.run(
    enforcing,
    { findings: [wrong('/a', { fixable: true })], memory: 'seen' },
    failed,
  )
  expect(summary).toMatchObject({ outcome: 'failed', reason: 'apply: no such program' })
  expect(engine.news()).toEqual(['opened wrong /a', 'opened job-failed job watch'])
  expect(memoryOf(engine.store, 'watch')).toBe('seen')
})

test('Runner gives all phases together the time of one run', async () => {
  using engine = new Engine()
  const slow = (subject: string) => async () => {
    await Bun.sleep(30)
    const answer = { findings: [wrong(subject, { fixable: true })] }
    return { status: 'done' as const, sandbox: null, answer }
  }
  await engine.run({ ...enforcing, timeoutMs: 1000 }, slow('/a'), slow('/a'), slow('/a'))
  const [first = 0, second = 0, third = 0] = engine.asked.map(({ timeoutMs }) => timeoutMs)
  expect(first).toBeGreaterThan(990)
  expect(second).toBeLessThanOrEqual(first - 25)
  expect(third).toBeLessThanOrEqual(second - 25)
})

// --- starting -------------------------------------------------------------------------------------------------------

function hanging() {
  const { promise, resolve } = Promise.withResolvers<{ status: 'done'; sandbox: null; answer: unknown }>()
  return {
    wait: () => promise,
    finish: () => resolve({ status: 'done', sandbox: null, answer: { findings: [] } }),
  }
}

test('Runner refuses a second run of a job, and records it as skipped when the schedule asked', async () => {
  using engine = new Engine()
  const { wait, finish } = hanging()
  engine.answers.push(wait)
  const first = engine.runner.start(job(), 'manual')
  if (!('started' in first)) throw new Error(first.reason)
  expect(engine.runner.start(job(), 'api', 'token')).toMatchObject({ refused: 'running' })
  expect(engine.runner.start(job(), 'schedule')).toMatchObject({ refused: 'running' })
  expect(engine.runner.start(job(), 'timer')).toMatchObject({ refused: 'running' })
  expect(engine.runner.start(job({ name: 'other' }), 'manual')).toHaveProperty('started')
  finish()
  await engine.runner.stop()
  expect(engine.runs().map(({ job, trigger, outcome }) => [job, trigger, outcome])).toEqual([
    ['watch', 'manual', 'clean'],
    ['watch', 'schedule', 'skipped'],
    ['watch', 'timer', 'skipped'],
    ['other', 'manual', 'clean'],
  ])
  expect((await engine.run(job())).outcome).toBe('clean')
})

test('Runner refuses what is disabled, not permitted, or run by another process', () => {
  using engine = new Engine()
  expect(engine.runner.start(job({ enabled: false }), 'manual')).toMatchObject({ refused: 'disabled' })
  expect(engine.runner.start(job({ refused: 'it asks too much' }), 'manual')).toEqual({
    refused: 'not-permitted',
    reason: 'it asks too much',
  })
  const lock = takeLock(`${engine.path}/watch.lock`)
  expect(engine.runner.isRunning('watch')).toBe(true)
  expect(engine.runner.start(job(), 'manual')).toMatchObject({ refused: 'locked' })
  lock?.release()
  expect(engine.runner.isRunning('watch')).toBe(false)
  expect(engine.runs()).toEqual([])
})

test('Runner has the row of a run as interrupted while it goes on', async () => {
  using engine = new Engine()
  const { wait, finish } = hanging()
  engine.answers.push(wait)
  engine.runner.start(job(), 'manual')
  expect(engine.runs()).toMatchObject([{ outcome: 'interrupted', finishedAt: null }])
  // Neither it nor anybody else takes it for one that was cut off.
  engine.runner.closeCutOff('watch')
  expect(engine.runs()).toMatchObject([{ finishedAt: null }])
  finish()
  await engine.runner.stop()
  expect(engine.runs()).toMatchObject([{ outcome: 'clean' }])
})

test('Runner closes the run that a dead process left open, and not that of a living one', async () => {
  using engine = new Engine()
  await engine.run(job())
  engine.store.sqlite.run("UPDATE runs SET outcome = 'interrupted', finished_at = NULL")
  const lock = takeLock(`${engine.path}/watch.lock`)
  engine.runner.closeCutOff('watch')
  expect(engine.runs()).toMatchObject([{ finishedAt: null }])
  lock?.release()
  engine.runner.closeCutOff('watch')
  expect(engine.runs()).toMatchObject([{ outcome: 'interrupted', reason: 'reeve ended in the middle of it' }])
  expect(engine.runs()[0]?.finishedAt).not.toBeNull()
})

test('Runner says that a run failed when it cannot be stored, and writes nothing half', async () => {
  using engine = new Engine()
  await engine.run(job(), { findings: [wrong('/a')], memory: 'good' })
  engine.news()
  // As a full disk does: in the middle of the transaction.
  engine.store.sqlite.run(
    "CREATE TRIGGER full BEFORE INSERT ON memories BEGIN SELECT raise(ABORT, 'disk is full'); END",
  )
  const summary = await engine.run(job(), { findings: [wrong('/b')], memory: 'lost' })
  expect(summary).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('disk is full') })
  expect(engine.runs().at(-1)).toMatchObject({ outcome: 'interrupted', finishedAt: null })
  expect(engine.findings()).toMatchObject([{ subject: '/a', state: 'open', lastRunId: 1 }])
  expect(memoryOf(engine.store, 'watch')).toBe('good')
  expect(engine.runner.running()).toEqual([])

  engine.store.sqlite.run('DROP TRIGGER full')
  await engine.run(job(), { findings: [wrong('/b')] })
  expect(engine.runs().map(({ outcome }) => outcome)).toEqual(['findings', 'interrupted', 'findings'])
  expect(engine.findings().map(({ subject, state }) => `${subject} ${state}`)).toEqual([
    '/a resolved',
    '/b open',
  ])
})

test('Runner shows a secret in nothing that it stores or tells', async () => {
  using engine = new Engine()
  const secret = 'a-canary-of-many-letters'
  engine.redactor.add(secret)
  await engine.run(job(), {
    findings: [wrong(`/srv/${secret}`, { remedy: `rm ${secret}`, evidence: { [secret]: secret } })],
    blind: [{ subject: 'x', reason: secret }],
    facts: [{ kind: 'log', subject: secret, data: { value: secret } }],
    memory: { held: secret },
  })
  await engine.run(job(), { status: 'failed', sandbox: null, reason: `could not use ${secret}` })
  const everything =
    engine.store.sqlite.serialize().toString('latin1') + JSON.stringify([engine.told, engine.log])
  expect(everything).not.toContain(secret)
  expect(everything).toContain('[redacted]')
})

test('Runner.drain() waits for runs to end by themselves, and stop() ends them', async () => {
  using engine = new Engine()
  const { wait, finish } = hanging()
  engine.answers.push(wait)
  const first = engine.runner.start(job(), 'manual')
  const drained = engine.runner.drain(60_000)
  finish()
  await drained
  expect('started' in first && (await first.started.done).outcome).toBe('clean')

  engine.answers.push(async () => {
    const { signal } = engine.asked.at(-1) ?? {}
    await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    return ended
  })
  const second = engine.runner.start(job(), 'manual')
  await engine.runner.drain(10)
  await engine.runner.stop()
  expect('started' in second && (await second.started.done).outcome).toBe('interrupted')
})

// --- waivers --------------------------------------------------------------------------------------------------------

test('Runner marks accepted findings, and tells when the waiver is over', async () => {
  using engine = new Engine()
  engine.waivers = [
    { rule: 'wrong', subject: '/a', owner: 'ops@example.org', reason: 'on purpose', expires: '2026-03-10' },
  ]
  await engine.run(job(), { findings: [wrong('/a')] })
  expect(engine.told.splice(0)).toMatchObject([{ kind: 'opened', muted: true }])
  expect(engine.findings()).toMatchObject([
    { waived: { owner: 'ops@example.org', reason: 'on purpose', expires: '2026-03-10' } },
  ])
  engine.clock.now += 86_400_000
  await engine.run(job(), { findings: [wrong('/a')] })
  expect(engine.told.splice(0)).toMatchObject([{ kind: 'regressed', muted: false }])
  expect(engine.findings()).toMatchObject([{ waived: null }])
})

test('Runner keeps a silenced finding quiet, and tells of it when the silence is over', async () => {
  using engine = new Engine()
  const at = engine.clock.now
  const silence = { kind: 'silenced' as const, job: null, rule: 'wrong', subject: '/a', owner: 'ops' }
  addSilence(engine.store, { ...silence, reason: 'works', createdAt: at, until: at + 3_600_000 }, () => false)
  await engine.run(job(), { findings: [wrong('/a'), wrong('/b')] })
  expect(engine.told.splice(0)).toMatchObject([
    { subject: '/a', muted: true },
    { subject: '/b', muted: false },
  ])
  engine.clock.now += 86_400_000
  await engine.run(job(), { findings: [wrong('/a'), wrong('/b')] })
  expect(engine.told.splice(0)).toMatchObject([{ kind: 'regressed', subject: '/a', muted: false }])
})
