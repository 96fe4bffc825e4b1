import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { GLOBAL, JOB_TYPES, JOBS, WEBHOOK } from '../../../plugins/service-config/ofelia/keys.ts'
import { comingOf } from '../../../plugins/service-config/ofelia/schedule.ts'
import { goDuration } from '../../../plugins/service-config/ofelia/values.ts'
import { composeServices } from '../../../plugins/service-config/read/compose.ts'
import { parseIni } from '../../../plugins/service-config/read/ini.ts'
import { Malformed } from '../../../plugins/service-config/read/text.ts'
import { parseUnit, splitWords } from '../../../plugins/service-config/read/unit.ts'
import { parseYaml } from '../../../plugins/service-config/read/yaml.ts'
import { KEYS } from '../../../plugins/service-config/rstmdb/keys.ts'
import { SERVICES } from '../../../plugins/service-config/rules.ts'
import { hostWith } from './host.ts'

const seeded = { seed: 20261122, numRuns: 150 }
const CANARY = 'canary-8c1f3a9e77'

const FILE_OF = {
  rstmdb: '/etc/rstmdb/config.yaml',
  maestro: '/opt/maestro/config.yaml',
  ofelia: '/etc/ofelia/config.ini',
  rostr: '/home/a/.rostr/config.yaml',
} as const

/** Text that is nearly a configuration: its words, in no order. */
const words = [
  '\n',
  '\r\n',
  '\t',
  ' ',
  '  ',
  ':',
  '=',
  '- ',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '`',
  '"""',
  '\\',
  '#',
  ';',
  '&a',
  '*a',
  '<<',
  '!!',
  '|',
  '>',
  '---',
  '%',
  '${',
  '}',
  '$',
  '\ufeff',
  'é',
  '\u2028',
  'true',
  'no',
  'null',
  '0',
  '1e999',
  '0x1f',
  '[global]',
  '[job-run "x"]',
  '[webhook "w"]',
  'auth:',
  'required',
  'token_hashes',
  'tls:',
  'network',
  'bind_addr',
  'services:',
  'labels:',
  'ofelia.job-run.x.volume',
  'schedule = ',
  '__proto__',
  'constructor',
  'toString',
]
const nearly = fc
  .array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 8 })), { maxLength: 60 })
  .map((parts) => parts.join(''))

for (const service of SERVICES) {
  test(`check of ${service} takes any text for its configuration, without an error and never green where it read nothing`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          nearly,
          fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        ),
        async (content) => {
          using host = hostWith(
            { [FILE_OF[service]]: content },
            { service, ...(service === 'rostr' ? {} : { units: [], compose: [] }) },
          )
          const { findings, blind } = await host.check()
          for (const { evidence, summary } of findings) {
            expect(evidence?.line === null || Number(evidence?.line ?? 1) >= 1).toBe(true)
            expect(summary).not.toContain('undefined')
          }
          // Bytes that are no text are told.
          if (typeof content !== 'string' && content.includes(0)) expect(blind?.length).toBeGreaterThan(0)
        },
      ),
      { ...seeded, numRuns: 60 },
    )
  })
}

test('parseIni(), parseYaml(), composeServices() and parseUnit() read any text or say that it is malformed', () => {
  fc.assert(
    fc.property(nearly, (text) => {
      for (const parse of [parseIni, parseYaml, (it: string) => composeServices('/x', parseYaml(it))]) {
        try {
          parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed)
        }
      }
      for (const setting of parseUnit(`[Service]\n${text}`)) splitWords(setting)
    }),
    { ...seeded, numRuns: 1500 },
  )
})

test('parseIni() gives back what was written, with its lines', () => {
  const name = fc.stringMatching(/^[a-z][a-z-]{0,12}[a-z]$/)
  const value = fc.stringMatching(/^[A-Za-z0-9/][A-Za-z0-9 ./*@-]{0,20}[A-Za-z0-9]$/)
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 30 }), (pairs) => {
      const text = `[global]\n${pairs.map(([key, text]) => `${key} = ${text}`).join('\n')}\n`
      const read = [...(parseIni(text).sections.get('global')?.keys.values() ?? [])].flatMap(({ values }) =>
        values.map((it): [number, string] => [it.line, it.text]),
      )
      const wanted = pairs.map(([, text], index): [number, string] => [index + 2, text])
      expect(read.toSorted(([a], [b]) => a - b)).toEqual(wanted)
    }),
    seeded,
  )
})

test('comingOf() and goDuration() answer any text', () => {
  const now = new Date('2026-11-22T00:00:00Z')
  const field = fc.constantFrom(
    '*',
    '*/5',
    '0',
    '59',
    '60',
    '1-5',
    '5-1',
    'MON',
    'L',
    '15W',
    '2#1',
    '?',
    '31',
    '30',
    '2',
    ',',
    'x',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(field, { maxLength: 7 }).map((it) => it.join(' ')),
      ),
      (text) => {
        expect(['never', 'by hand', 'at']).toContain(comingOf(text, now).kind)
        goDuration(text)
      },
    ),
    { ...seeded, numRuns: 600 },
  )
})

/** Keys of secrets in every place where one can stand. */
const secretPlaces: [service: keyof typeof FILE_OF, text: string][] = [
  ...GLOBAL.filter(({ secret }) => secret).map(({ key }): ['ofelia', string] => [
    'ofelia',
    `[global]\nenable-web = true\nweb-auth-enabled = true\nweb-username = x\n${key} = ${CANARY}\n`,
  ]),
  ...JOB_TYPES.flatMap((type) =>
    JOBS[type]
      .filter(({ secret }) => secret)
      .map(({ key }): ['ofelia', string] => [
        'ofelia',
        `[${type} "x"]\nschedule = @daily\n${key} = ${CANARY}#${CANARY}\n`,
      ]),
  ),
  ...WEBHOOK.filter(({ secret }) => secret).map(({ key }): ['ofelia', string] => [
    'ofelia',
    `[webhook "x"]\nurl = http://user:${CANARY}@h.example.org/${CANARY}\n${key} = ${CANARY}\n`,
  ]),
  [
    'ofelia',
    `[job-exec "x"]\nschedule = @daily\ncontainer = a\ncommand = mysql -p${CANARY} | sh; curl ${CANARY}\nenvironment = A=${CANARY}\n`,
  ],
  ['rstmdb', `auth: {required: true, token_hashes: ["${CANARY}"]}\nreplication: {auth_token: "${CANARY}"}\n`],
  ['rstmdb', `auth:\n  required: ${CANARY}\n  token_hashes: ${CANARY}\n`],
  [
    'maestro',
    `auth:\n  session_secret: ${CANARY}\n  gitea: {client_secret: '${CANARY}', x: 1}\nllm: {metrics: {bearer_token: "${CANARY}", allowed_hosts: ["*"]}, workers: [{api_key: ${CANARY}}]}\n`,
  ],
  [
    'rostr',
    `registration: {token: "${CANARY}", webhook: "http://h.example.org/${CANARY}"}\nuptimekuma:\n  db_pass: ${CANARY}\n`,
  ],
]
test.each(secretPlaces)('no finding of %s repeats a secret (%#)', async (service, text) => {
  using host = hostWith(
    { [FILE_OF[service]]: text },
    { service, ...(service === 'rostr' ? {} : { units: [], compose: [] }) },
  )
  const report = await host.check()
  expect(report.findings.length).toBeGreaterThan(0)
  expect(JSON.stringify(report)).not.toContain(CANARY)
})

test('every key of rstmdb is known, and known once', () => {
  const keys = KEYS.map(({ key }) => key)
  expect(new Set(keys).size).toBe(keys.length)
  const variables = KEYS.flatMap(({ variable }) => variable ?? [])
  expect(new Set(variables).size).toBe(variables.length)
})

/** What each kind of key of rstmdb takes and refuses. */
const values: Record<string, { right: string[]; wrong: string[] }> = {
  boolean: { right: ['true', 'false'], wrong: ['yes', '1', '"true"', '[]', '{}'] },
  integer: { right: ['0', '5'], wrong: ['-1', '1.5', '"5"', 'many', '[]'] },
  address: {
    right: ['127.0.0.1:1', '"[::1]:1"'],
    wrong: ['localhost:1', ':1', '127.0.0.1', '127.0.0.1:99999', '1'],
  },
  path: { right: ['/a', '"./a"', 'null'], wrong: ['1', 'true', '[a]'] },
  text: { right: ['a', 'null'], wrong: ['1', '{}'] },
  texts: { right: ['[]', '[a, b]'], wrong: ['a', '[1]', '{}'] },
  fsync: {
    right: ['every_write', 'never', '{every_ms: 5}', '!every_n 5'],
    wrong: ['always', '{every_ms: x}', '5'],
  },
}
for (const { key, kind, choices = [] } of KEYS) {
  const { right, wrong } =
    kind === 'choice'
      ? { right: [...choices], wrong: ['sometimes', '1'] }
      : (values[kind] ?? { right: [], wrong: [] })
  test(`rstmdb's ${key} takes ${right.join(', ')} and refuses ${wrong.join(', ')}`, async () => {
    expect(right.length).toBeGreaterThan(0)
    const [section = '', name = ''] = key.split('.')
    const complaints = async (value: string) => {
      using host = hostWith(
        { '/etc/rstmdb/config.yaml': `${section}:\n  ${name}: ${value}\n` },
        { service: 'rstmdb', units: [], compose: [] },
      )
      return (await host.check()).findings
        .filter(({ rule }) => rule === 'wrong-value')
        .map(({ evidence }) => evidence?.line)
    }
    for (const value of right) expect([value, await complaints(value)]).toEqual([value, []])
    for (const value of wrong) expect([value, await complaints(value)]).toEqual([value, [2]])
  })
}
