import { expect, setDefaultTimeout } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { CaseHost, whyNoCaseHost } from '../kit/case-host/host.ts'
import { shellLinesOf } from '../kit/case-host/remedy.ts'
import { testWith } from '../kit/needs.ts'

// A host of each service on which every item of its checklist is right, and one on which every item is wrong: there
// all that is wrong is found, where it stands, and what reeve says to do about it puts it right.

setDefaultTimeout(120_000)

const CASES = join(import.meta.dir, '../cases')
const SERVICES = ['rostr', 'rstmdb', 'maestro', 'ofelia']
const MOST_ROUNDS = 4
const live = testWith({ reason: whyNoCaseHost() })

const auditSchema = z.tuple([
  z.object({
    score: z.object({ passed: z.number(), total: z.number(), verdicts: z.record(z.string(), z.number()) }),
    items: z.array(
      z.object({
        id: z.string(),
        verdict: z.string(),
        reasons: z.array(z.string()),
        findings: z.array(
          z.object({
            rule: z.string(),
            subject: z.string(),
            remedy: z.string().nullable(),
            evidence: z.record(z.string(), z.unknown()).nullable(),
          }),
        ),
      }),
    ),
  }),
])
type Audited = z.output<typeof auditSchema>[0]
type Found = Audited['items'][number]['findings'][number]

/** For each item what has to be found: "RULE SUBJECT", and "@LINE" behind it where it stands in a line of a file. */
const expectedSchema = z.strictObject({
  items: z.record(z.string(), z.array(z.string()).min(1)),
  /** What an operator does where the remedy is a choice or an edit: shell lines by "RULE SUBJECT". */
  mend: z.record(z.string(), z.string()).default({}),
})

function audit(host: CaseHost): Audited {
  const { stdout, stderr } = host.try(['reeve', 'audit', '--json'])
  try {
    return auditSchema.parse(JSON.parse(stdout))[0]
  } catch (cause) {
    throw new Error(`reeve audit did not answer: ${stdout}${stderr}`, { cause })
  }
}

const nameOf = ({ rule, subject }: Found) => `${rule} ${subject}`
const placeOf = (found: Found) =>
  typeof found.evidence?.line === 'number' ? `${nameOf(found)}@${found.evidence.line}` : nameOf(found)

/** Whether a text is another one, in which `*` is any text: digests of secrets differ each time. */
const isLike = (pattern: string) => {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const expression = new RegExp(`^${parts.join('.*')}$`)
  return (text: string) => expression.test(text)
}

/** What stands in the way of a full score, in words. */
const obstacles = ({ items }: Audited) =>
  items
    .filter(({ verdict }) => verdict !== 'pass' && verdict !== 'attested')
    .map(({ id, verdict, reasons, findings }) => ({ id, verdict, reasons, findings: findings.map(placeOf) }))

function attest(host: CaseHost, { items }: Audited): void {
  for (const { rule, remedy } of items.flatMap(({ findings }) => findings)) {
    if (rule.startsWith('attestation-')) host.shell(shellLinesOf(remedy ?? ''))
  }
}

/** Does what reeve says, the lines of a file from the last to the first: what is put in above moves those below. */
function mendAll(host: CaseHost, { items }: Audited, mend: Record<string, string>, done: Set<string>): void {
  const known = Object.entries(mend)
  const byHand = (name: string) => known.find(([pattern]) => isLike(pattern)(name))
  const lineOf = ({ evidence }: Found) => (typeof evidence?.line === 'number' ? evidence.line : 0)
  const distinct = new Map(items.flatMap(({ findings }) => findings.map((found) => [nameOf(found), found])))
  const unclear = [...distinct].filter(
    ([name, { remedy }]) => !byHand(name) && shellLinesOf(remedy ?? '') === '',
  )
  if (unclear.length > 0) {
    const texts = unclear.map(([name, { remedy }]) => `${name}: ${remedy}`)
    throw new Error(`nothing says how to mend these:\n${texts.join('\n')}`)
  }
  for (const [name, found] of [...distinct].toSorted(([, a], [, b]) => lineOf(b) - lineOf(a))) {
    const [pattern, lines] = byHand(name) ?? [name, shellLinesOf(found.remedy ?? '')]
    try {
      host.shell(lines)
    } catch (cause) {
      throw new Error(`the remedy of "${name}" fails`, { cause })
    }
    done.add(pattern)
  }
}

for (const service of SERVICES) {
  live(
    `on the good host of ${service} every item is right, once its operator has attested his part`,
    async () => {
      await using host = await CaseHost.start(join(CASES, service, 'good'), service)
      attest(host, audit(host))
      const { score, ...audited } = audit(host)
      expect(obstacles({ score, ...audited })).toEqual([])
      expect(score).toMatchObject({
        passed: score.total,
        verdicts: { fail: 0, blind: 0, 'not-applicable': 0 },
      })
    },
  )

  live(
    `on the bad host of ${service} every item is found wrong, and every remedy puts it right`,
    async () => {
      const directory = join(CASES, service, 'bad')
      const expected = expectedSchema.parse(parse(readFileSync(join(directory, 'expected.yaml'), 'utf8')))
      await using host = await CaseHost.start(directory, service)
      const before = audit(host)
      expect(before.items.map(({ id }) => id)).toEqual(Object.keys(expected.items))
      for (const { id, verdict, findings } of before.items) {
        expect({ id, verdict }).toEqual({ id, verdict: 'fail' })
        const found = findings.map(placeOf)
        expect({ id, lacks: expected.items[id]?.filter((wanted) => !found.some(isLike(wanted))) }).toEqual({
          id,
          lacks: [],
        })
      }
      const done = new Set<string>()
      let now = before
      // What is mended can show what was behind it: a login that is on, and no token to log in with.
      for (let round = 0; round < MOST_ROUNDS && obstacles(now).length > 0; round++) {
        mendAll(host, now, expected.mend, done)
        await host.restart()
        now = audit(host)
      }
      expect(obstacles(now)).toEqual([])
      // Nobody shall believe that something is mended by hand that reeve does not find.
      expect(Object.keys(expected.mend).filter((name) => !done.has(name))).toEqual([])
    },
  )
}
