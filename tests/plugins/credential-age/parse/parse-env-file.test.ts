import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { parseEnvFile } from '../../../../plugins/credential-age/parse/parse-env-file.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { processorClock, run } from '../material.ts'

function parse(text: string, keys?: string[]) {
  const { members, problems, skipped } = parseEnvFile(Buffer.from(text), keys)
  return {
    found: Object.fromEntries(members.map(({ id, value }) => [id, value])),
    problems,
    skipped,
    members,
  }
}

test('parseEnvFile() takes what looks like a secret by name or by value', () => {
  const text = [
    '# DB_PASS=commented-out',
    '; API_TOKEN=also-commented',
    '',
    'LOG_LEVEL=debug',
    'DB_PASS=one',
    "export API_TOKEN='two # not a comment'",
    'DATABASE_URL="postgres://app:three@db/app"',
    'SMTP_PASSWORD_FILE=/run/secrets/smtp',
    'TLS_SECRET=/etc/app/secret.key',
    'SESSION_SECRET=four # a comment',
    'OTHER_TOKEN=$' + '{API_TOKEN}',
    'EMPTY_TOKEN=',
    'MAX_TOKENS=4096',
  ].join('\n')
  const { found, problems, skipped, members } = parse(text)
  expect(found).toEqual({
    DB_PASS: 'one',
    API_TOKEN: 'two # not a comment',
    DATABASE_URL: 'three',
    SESSION_SECRET: 'four',
  })
  expect(problems).toEqual([])
  expect(skipped).toEqual(['OTHER_TOKEN', 'EMPTY_TOKEN'])
  expect(members.map(({ line }) => line)).toEqual([5, 6, 7, 10])
})

test('parseEnvFile() takes the declared keys and no others, also when they are empty', () => {
  const { found, skipped } = parse('A=1\nB=\nDB_PASS=x\nC=$' + '{A}\n', ['A', 'B', 'C', 'D'])
  expect(found).toEqual({ A: '1', B: '' })
  expect(skipped).toEqual(['C'])
})

test('parseEnvFile() takes the last assignment of a name', () => {
  expect(parse('API_TOKEN=one\nAPI_TOKEN=two\n').found).toEqual({ API_TOKEN: 'two' })
})

test('parseEnvFile() names the lines that it does not understand and reads the others', () => {
  const { found, problems } = parse('API_TOKEN=one\nnonsense here\nDB_PASS=two\n=three\nX_TOKEN="open\n')
  expect(found).toEqual({ API_TOKEN: 'one', DB_PASS: 'two' })
  expect(problems).toEqual([
    'line 2: wanted KEY=value',
    'line 4: wanted KEY=value',
    'line 5: a quote that is opened here is never closed',
  ])
})

test('parseEnvFile() does not take the padding of base64 for an assignment', () => {
  expect(parse('dG9rZW4gb2YgdGhlIGhvc3Q=\n').found).toEqual({})
})

test.each([[Buffer.from('API_TOKEN=a\0b')], [Buffer.from([0x41, 0x3d, 0xff, 0xfe])]])(
  'parseEnvFile() refuses binary rubbish',
  (bytes) => {
    expect(() => parseEnvFile(bytes)).toThrow(/NUL|UTF-8/)
  },
)

test('parseEnvFile() reads values as a shell does', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'env')
  const character = fc.constantFrom(...'abcXYZ019-_./:@%+,=#;!*?&|<>()[]{}~^ ')
  const value = fc
    .string({ unit: character, minLength: 1, maxLength: 30 })
    .filter((text) => text.trim() === text)
  const style = fc.constantFrom('single', 'double', 'escaped', 'mixed')
  fc.assert(
    fc.property(fc.array(fc.tuple(value, style), { minLength: 8, maxLength: 8 }), (values) => {
      const lines = values.map(([text, how], index) => `V${index}_TOKEN=${quoted(text, how)}`)
      writeFileSync(path, `${lines.join('\n')}\n`)
      const names = values.map((_, index) => `V${index}_TOKEN`)
      const shell = run([
        'bash',
        '-c',
        `. ${path}; printf '%s\\n' ${names.map((name) => `"$${name}"`).join(' ')}`,
      ])
      const { found, problems } = parse(lines.join('\n'), names)
      expect(problems).toEqual([])
      expect(names.map((name) => found[name])).toEqual(shell.toString().split('\n').slice(0, -1))
    }),
    { seed: 3, numRuns: 40 },
  )
})

function quoted(text: string, style: string): string {
  if (style === 'single') return `'${text}'`
  if (style === 'double') return `"${text}"`
  const escaped = text.replace(/[^A-Za-z0-9]/g, (character) => `\\${character}`)
  return style === 'escaped' ? escaped : `'${text.slice(0, 3)}'"${text.slice(3, 6)}"${escapedRest(text)}`
}

function escapedRest(text: string): string {
  return text.slice(6).replace(/[^A-Za-z0-9]/g, (character) => `\\${character}`)
}

test('parseEnvFile() joins lines after a backslash and within quotes', () => {
  const { found } = parse('API_TOKEN=one\\\ntwo\nDB_PASS="first\nsecond"\nX_TOKEN=z\n')
  expect(found).toEqual({ API_TOKEN: 'onetwo', DB_PASS: 'first\nsecond', X_TOKEN: 'z' })
})

test.each([
  ['#'.repeat(1_000_000)],
  [`A_TOKEN=${'#'.repeat(1_000_000)}`],
  [`A_TOKEN=${' #'.repeat(500_000)}`],
  ['A_TOKEN='.repeat(125_000)],
  ['x\n'.repeat(500_000)],
  ["'".repeat(1_000_000)],
  [`A_TOKEN=${'\\'.repeat(1_000_000)}`],
  [`A_TOKEN=${'://a:b'.repeat(170_000)}`],
  [' '.repeat(1_000_000)],
])('parseEnvFile() takes linear time on hostile text', (text) => {
  const spentMs = processorClock()
  const { problems } = parse(text)
  expect(problems.length).toBeLessThanOrEqual(20)
  expect(spentMs()).toBeLessThan(1500)
})
