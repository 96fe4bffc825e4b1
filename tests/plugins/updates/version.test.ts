import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { compareVersions, plainVersion } from '../../../plugins/updates/version.ts'
import { testWith } from '../../kit/needs.ts'

const ordered = [
  ['1.0~~', '1.0~'],
  ['1.0~rc1', '1.0'],
  ['1.0', '1.0a'],
  ['1.0a', '1.0+b1'],
  ['1.0-1', '1.0-1.1'],
  ['1.0-9', '1.0-10'],
  ['9.9', '1:0.1'],
  ['1.0-1', '1.0-1+deb12u1'],
  ['1.0-1+deb12u9', '1.0-1+deb12u10'],
  ['5:7.0.15-1~deb12u2', '5:7.0.15-1'],
  ['1.2.3', '1.2.3.0'],
] as const
for (const [small, large] of ordered) {
  test(`compareVersions() puts ${small} before ${large}`, () => {
    expect(Math.sign(compareVersions(small, large))).toBe(-1)
    expect(Math.sign(compareVersions(large, small))).toBe(1)
  })
}

test('compareVersions() finds versions alike that differ in leading zeros, an epoch 0 or a revision 0', () => {
  expect(compareVersions('1.01', '1.1')).toBe(0)
  expect(compareVersions('0:1.0', '1.0')).toBe(0)
  expect(compareVersions('1.0-0', '1.0')).toBe(0)
})

/** Versions that look like those of packages, and pairs of them that differ little. */
const piece = fc.constantFrom(
  '0',
  '1',
  '10',
  '9',
  '01',
  'a',
  'b',
  'rc',
  'deb',
  '+',
  '~',
  '.',
  '+deb12u',
  '~bpo',
  'u',
  'Z',
)
const upstream = fc.array(piece, { maxLength: 5 }).map((parts) => `1${parts.join('')}`)
const version = fc
  .tuple(
    fc.constantFrom('', '0:', '1:'),
    upstream,
    fc.constantFrom('', '-0', '-1', '-1~', '-1+b1', '-10', '-9.1'),
  )
  .map((parts) => parts.join(''))

function samples(count: number): [string, string][] {
  const seed = 20_260_707
  return fc.sample(fc.tuple(version, version), { numRuns: count, seed })
}

/** What a program says of all pairs, in one call: "-1", "0" or "1" a line. */
function asked(command: string[], pairs: [string, string][]): number[] {
  const { stdout, exitCode, stderr } = Bun.spawnSync(command, {
    stdin: Buffer.from(pairs.map((pair) => `${pair.join(' ')}\n`).join('')),
  })
  if (exitCode !== 0) throw new Error(stderr.toString())
  return stdout.toString().trim().split('\n').map(Number)
}

const PERL = 'use Dpkg::Version; while (<>) { my ($a, $b) = split; print version_compare($a, $b), "\\n" }'
const hasPerl =
  Bun.which('perl') !== null && Bun.spawnSync(['perl', '-MDpkg::Version', '-e', '1']).exitCode === 0

testWith({ reason: hasPerl ? undefined : 'not installed: libdpkg-perl' })(
  'compareVersions() says of twenty thousand pairs what the library of dpkg says',
  () => {
    const known = [...readFileSync('/var/lib/dpkg/status', 'latin1').matchAll(/^Version: (\S+)$/gm)].map(
      ([, one = '']) => one,
    )
    const neighbours = known.slice(1).map((one, index): [string, string] => [known[index] ?? one, one])
    const pairs = [...samples(20_000), ...neighbours]
    const answers = asked(['perl', '-e', PERL], pairs)
    const wrong = pairs.filter(([a, b], index) => Math.sign(compareVersions(a, b)) !== answers[index])
    expect(answers).toHaveLength(pairs.length)
    expect(wrong).toEqual([])
  },
)

const DPKG =
  'while read a b; do if dpkg --compare-versions "$a" lt "$b"; then echo -1; elif dpkg --compare-versions "$a" eq "$b"; then echo 0; else echo 1; fi; done'

testWith({ programs: ['dpkg'] })('compareVersions() says of pairs what dpkg itself says', () => {
  const pairs = samples(Number(process.env.REEVE_DPKG_PAIRS ?? 150))
  const answers = asked(['sh', '-c', DPKG], pairs)
  expect(pairs.filter(([a, b], index) => Math.sign(compareVersions(a, b)) !== answers[index])).toEqual([])
})

test.each([
  ['v1.2.3', '1.2.3'],
  ['1.0.0-rc1', '1.0.0~rc1'],
  ['1.0.0-beta.2', '1.0.0~beta.2'],
  ['7.0.15-1', '7.0.15-1'],
])('plainVersion(%s) is %s', (text, plain) => expect(plainVersion(text)).toBe(plain))
