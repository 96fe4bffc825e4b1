import { expect, test } from 'bun:test'
import { rules as recommended } from '@secretlint/secretlint-rule-preset-recommend'
import fc from 'fast-check'
import { isSecretName } from '../../../agent/lib/secret-names.ts'
import { ANCHORS, type Anchor } from '../../../plugins/secret-scan/anchors.ts'
import { SecretScanner } from '../../../plugins/secret-scan/scan-text.ts'
import { AnchorSearch } from '../../../plugins/secret-scan/search.ts'
import { loadShapes } from '../../../plugins/secret-scan/shapes.ts'

const shapes = await loadShapes()
const scanner = new SecretScanner({ shapes })

test('AnchorSearch finds what a plain search finds, in bytes of any kind', () => {
  const anchors: Anchor[] = [
    { text: 'pass', kind: 'name' },
    { text: 'asx', kind: 'name' },
    { text: 'SG.', kind: 'shape', exact: true },
    { text: '://', kind: 'url' },
  ]
  const search = new AnchorSearch(anchors)
  const letters = fc.constantFrom(...'pasPASxSG.:/ \0\n', 'pass', 'SG.', '://')
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 60 }), fc.nat(10), (parts, before) => {
      const text = parts.join('')
      const bytes = Buffer.from(text, 'latin1')
      const found: string[] = []
      search.search(bytes, Math.min(before, bytes.length), bytes.length, ({ text: anchor }, start, end) => {
        found.push(`${anchor}@${start}`)
        expect(end).toBe(start + anchor.length)
      })
      const expected = anchors.flatMap(({ text: anchor, exact }) => {
        const [all, wanted] = exact ? [text, anchor] : [text.toLowerCase(), anchor.toLowerCase()]
        return [...all]
          .map((_, index) => index)
          .filter((index) => index >= before && all.startsWith(wanted, index))
          .map((index) => `${anchor}@${index}`)
      })
      expect(found.toSorted()).toEqual(expected.toSorted())
    }),
    { seed: 7, numRuns: 2000 },
  )
})

test('every name that stands for a secret holds an anchor, so no setting is passed over', () => {
  const anchors = ANCHORS.filter(({ kind }) => kind === 'name').map(({ text }) => text)
  const words = [
    'db',
    'pass',
    'word',
    'password',
    'token',
    'secret',
    'api',
    'key',
    'psk',
    'pwd',
    'access',
    'old',
  ]
  words.push(
    'passphrase',
    'private',
    'signing',
    'encryption',
    'master',
    'passwd',
    'bindpw',
    'requirepass',
    'base',
  )
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('', '_', '-', '.'),
      (parts, separator) => {
        const name = parts.join(separator)
        if (!isSecretName(name)) return
        expect([name, anchors.some((anchor) => name.toLowerCase().includes(anchor))]).toEqual([name, true])
      },
    ),
    { seed: 7, numRuns: 3000 },
  )
})

const alphanumeric = (length: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9]{${length}}$`))
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
const url = (length: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9_-]{${length}}$`))

/** Tokens in the forms that their services document, by the @secretlint rule that knows them. */
const TOKENS: Record<string, fc.Arbitrary<string>[]> = {
  aws: [fc.stringMatching(/^[A-Za-z0-9/+]{40}$/).map((key) => `AWS_SECRET_ACCESS_KEY=${key}`)],
  npm: [
    alphanumeric(36).map((token) => `npm_${token}`),
    url(24).map((token) => `//registry.example.org/:_authToken=${token}`),
    hex(40).map((token) => `https://${token}:x-oauth-basic@github.com/`),
  ],
  slack: [
    fc
      .tuple(
        fc.constantFrom('xoxb', 'xoxp', 'xapp', 'xoxa', 'xoxo', 'xoxr'),
        alphanumeric(12),
        alphanumeric(24),
      )
      .map((parts) => parts.join('-')),
    fc
      .tuple(alphanumeric(8), alphanumeric(8), alphanumeric(24))
      .map(([team, bot, key]) => `https://hooks.slack.com/services/T${team}/B${bot}/${key}`),
  ],
  sendgrid: [fc.tuple(alphanumeric(22), alphanumeric(43)).map(([id, key]) => `SG.${id}.${key}`)],
  shopify: [prefixed(['shppa_', 'shpca_', 'shpat_', 'shpss_'], hex(32))],
  stripe: [prefixed(['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_'], alphanumeric(24))],
  github: [
    prefixed(['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], alphanumeric(36)),
    alphanumeric(82).map((token) => `github_pat_${token}`),
  ],
  gitlab: [url(20).map((token) => `glpat-${token}`)],
  grafana: [
    alphanumeric(64).map((token) => `glc_${token}`),
    fc.tuple(alphanumeric(32), hex(8)).map(([token, sum]) => `glsa_${token}_${sum}`),
  ],
  openai: [fc.tuple(alphanumeric(20), alphanumeric(20)).map(([a, b]) => `sk-${a}T3BlbkFJ${b}`)],
  anthropic: [url(93).map((token) => `sk-ant-api03-${token}AA`)],
  groq: [alphanumeric(52).map((token) => `gsk_${token}`)],
  huggingface: [fc.stringMatching(/^[A-Za-z]{34}$/).map((token) => `hf_${token}`)],
  linear: [alphanumeric(40).map((token) => `lin_api_${token}`)],
  notion: [fc.tuple(fc.stringMatching(/^\d{11}$/), alphanumeric(35)).map(([id, key]) => `ntn_${id}${key}`)],
  '1password': [
    alphanumeric(120).map((text) => {
      const account = { email: 'a@1passwordserviceaccounts.com', signInAddress: 'a.1password.com', text }
      const keys = { muk: { k: text }, secretKey: text, srpX: text, userAuth: { method: 'SRPg-4096' } }
      return `ops_${Buffer.from(JSON.stringify({ ...account, ...keys })).toString('base64')}`
    }),
  ],
  'hashicorp-vault': [prefixed(['hvs.', 'hvr.'], url(95)), prefixed(['hvb.'], url(150))],
  vercel: [prefixed(['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'], alphanumeric(40))],
  databricks: [prefixed(['dapi'], hex(32))],
  docker: [prefixed(['dckr_pat_'], url(27))],
  figma: [prefixed(['figd_'], url(43))],
  cloudflare: [
    fc
      .tuple(fc.constantFrom('cfk_', 'cfut_', 'cfat_'), alphanumeric(40), hex(8))
      .map((parts) => parts.join('')),
  ],
  tailscale: [
    fc
      .tuple(fc.constantFrom('api', 'auth', 'client', 'scim', 'webhook'), alphanumeric(12), alphanumeric(32))
      .map(([type, id, key]) => `tskey-${type}-${id}-${key}`),
  ],
  basicauth: [
    fc.tuple(alphanumeric(8), alphanumeric(12)).map(([user, key]) => `https://${user}:${key}@db.example.org`),
  ],
  'database-connection-string': [
    fc
      .tuple(
        fc.constantFrom('mongodb', 'mongodb+srv', 'mysql', 'mysqlx', 'postgres', 'postgresql'),
        alphanumeric(12),
      )
      .map(([scheme, key]) => `${scheme}://app:${key}@db.example.org/app`),
  ],
  privatekey: [
    alphanumeric(400).map((body) => {
      const lines = `MII${body}`.replace(/(.{64})/g, '$1\n')
      return `-----BEGIN RSA PRIVATE KEY-----\n${lines}\n-----END RSA PRIVATE KEY-----`
    }),
  ],
}

function prefixed(prefixes: string[], body: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom(...prefixes), body).map((parts) => parts.join(''))
}

/** What the rule of the library says of a text by itself, without anything of ours. */
function reported(rule: string, text: string): boolean {
  let count = 0
  const context = { createTranslator: () => () => ({}), report: () => count++, ignore: () => {} }
  const creator = recommended.find(({ meta }: { meta: { id: string } }) => meta.id.endsWith(`-rule-${rule}`))
  creator?.create(context, {}).file({ content: text, filePath: '', ext: '', contentType: 'text' })
  return count > 0
}

/** What is left out on purpose: whole files, comments that would switch the others off. */
const LEFT_OUT = ['gcp', 'filter-comments']

test('every rule that is recommended has tokens here', () => {
  const names = recommended.map(({ meta }: { meta: { id: string } }) => meta.id.replace(/^.*-rule-/, ''))
  expect([...Object.keys(TOKENS), ...LEFT_OUT].toSorted()).toEqual(names.toSorted())
})

const around = fc.constantFrom(
  ['', ''],
  ['\n\n# ', '\n'],
  ['key: "', '"\n'],
  ['x=1&t=', ' and more'],
  ['{"a":["', '"]}'],
  ['ü'.repeat(3000), ` ${'x'.repeat(20_000)}`],
)

test.each(Object.entries(TOKENS))(
  'nothing that the rule %s reports is lost by looking only at anchors',
  (rule, tokens) => {
    let told = 0
    for (const token of tokens) {
      fc.assert(
        fc.property(token, around, (text, [before = '', after = '']) => {
          const whole = before + text + after
          if (!reported(rule, whole)) return
          told++
          const bytes = Buffer.from(whole)
          const found = scanner.scan(bytes, 0, bytes.length, 'config')
          expect([text, found.length > 0]).toEqual([text, true])
        }),
        { seed: 11, numRuns: 60 },
      )
    }
    // The library does know the tokens that are made here.
    expect(told).toBeGreaterThan(10 * tokens.length)
  },
)
