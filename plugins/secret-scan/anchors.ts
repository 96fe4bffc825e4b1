/**
 * What a secret cannot be without, in three letters or more: the bytes are searched for these, and only the lines
 * around one are looked at closely. Case does not count.
 */
export type AnchorKind =
  /** Part of the name of a setting. */
  | 'name'
  /** What stands before the authority of a URL. */
  | 'url'
  /** `Authorization: Bearer …`. */
  | 'bearer'
  /** The first line of a private key in PEM. */
  | 'private-key'
  /** The SHA-256 of a value that everybody knows. */
  | 'known-hash'
  /** What tokens of some service begin with, or hold. */
  | 'shape'

export interface Anchor {
  text: string
  kind: AnchorKind
  /** For a shape: the last part of the id of the @secretlint rule that knows it, or "own". */
  rule?: string
  /** Only in this case, as the service writes it. */
  exact?: boolean
}

/** Every name of agent/lib/secret-names.ts holds one of these. A test holds them against it. */
const NAMES = ['pass', 'pwd', 'token', 'secret', 'key', 'psk', 'rootpw', 'bindpw', 'masterauth']

/** By rule of @secretlint: each token that it reports holds one of these. A test makes such tokens. */
const SHAPES: Record<string, string[]> = {
  aws: ['secret'],
  npm: ['x-oauth-basic', '_authToken', 'npm_'],
  slack: ['xoxb-', 'xoxp-', 'xapp-', 'xoxa-', 'xoxo-', 'xoxr-', 'hooks.slack.com'],
  sendgrid: ['SG.'],
  shopify: ['shppa_', 'shpca_', 'shpat_', 'shpss_'],
  stripe: ['sk_live', 'sk_test', 'rk_live', 'rk_test'],
  github: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
  gitlab: ['glpat-'],
  grafana: ['glc_', 'glsa_'],
  openai: ['T3BlbkFJ'],
  anthropic: ['sk-ant-api0'],
  groq: ['gsk_'],
  huggingface: ['hf_'],
  linear: ['lin_api_'],
  notion: ['ntn_'],
  '1password': ['ops_ey'],
  'hashicorp-vault': ['hvs.', 'hvb.', 'hvr.'],
  vercel: ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'],
  databricks: ['dapi'],
  docker: ['dckr_pat_'],
  figma: ['figd_'],
  cloudflare: ['cfk_', 'cfut_', 'cfat_'],
  tailscale: ['tskey-'],
  own: ['AKIA', 'ASIA', 'AIza'],
}

/** The library takes these in any case. */
const ANY_CASE = new Set(['secret', 'hooks.slack.com', 'x-oauth-basic'])

/** SHA-256 of "test" and of nothing, and the sample of rstmdb's documentation. */
export const KNOWN_HASHES: Record<string, string> = {
  '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08': 'of the word "test"',
  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855: 'of an empty value',
  '5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8': 'of the word "password"',
  '8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918': 'of the word "admin"',
  '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b': 'of the word "secret"',
  ea5add57437cbf20af59034d7ed17968dcc56767b41965fcc5b376d45db8b4a3: 'of the words "my-secret-token"',
}
/** Of a hash that stands in documentation shortened. */
export const KNOWN_HASH_PREFIXES: Record<string, string> = { a5f3c6c8: 'of a sample in documentation' }

export const ANCHORS: readonly Anchor[] = [
  ...NAMES.map((text): Anchor => ({ text, kind: 'name' })),
  { text: '://', kind: 'url' },
  { text: 'bearer', kind: 'bearer' },
  { text: 'PRIVATE KEY', kind: 'private-key', exact: true },
  ...[...Object.keys(KNOWN_HASHES), ...Object.keys(KNOWN_HASH_PREFIXES)].map(
    (hash): Anchor => ({ text: hash.slice(0, 8), kind: 'known-hash' }),
  ),
  ...Object.entries(SHAPES).flatMap(([rule, texts]) =>
    texts.map((text): Anchor => ({ text, kind: 'shape', rule, exact: !ANY_CASE.has(text) })),
  ),
]
