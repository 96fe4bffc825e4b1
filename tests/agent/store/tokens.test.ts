import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { openStore, type Store } from '../../../agent/store/open.ts'
import { tokens } from '../../../agent/store/schema.ts'
import {
  createToken,
  findToken,
  listTokens,
  noteTokenUse,
  revokeToken,
  rotateToken,
} from '../../../agent/store/tokens.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const NOW = Date.parse('2026-11-21T22:00:00Z')
const HOUR = 3_600_000

function withStore(work: (store: Store) => void): void {
  using directory = temporaryDirectory()
  const store = openStore(join(directory.path, 'reeve.db'))
  try {
    work(store)
  } finally {
    store.close()
  }
}

const wanted = { name: 'prometheus', scope: 'read', expiresAt: null } as const

test('createToken() returns 256 random bits that findToken() recognises', () =>
  withStore((store) => {
    const { secret, token } = createToken(store, wanted, NOW)
    expect(secret).toMatch(/^reeve_[0-9a-f]{64}$/)
    expect(findToken(store, secret, NOW)).toEqual(token)
    expect(token).toMatchObject({ name: 'prometheus', scope: 'read', state: 'active', lastUsedAt: null })
  }))

test('createToken() leaves nothing of the secret in the database', () =>
  withStore((store) => {
    const { secret } = createToken(store, wanted, NOW)
    const stored = JSON.stringify(store.orm.select().from(tokens).all())
    expect(stored).not.toContain(secret)
    expect(stored).not.toContain(secret.slice('reeve_'.length))
    expect(stored).toContain(new Bun.CryptoHasher('sha256').update(secret).digest('hex'))
  }))

test('createToken() refuses a name that a usable token has, and names the way out', () =>
  withStore((store) => {
    createToken(store, wanted, NOW)
    expect(() => createToken(store, wanted, NOW)).toThrow('reeve token rotate prometheus')
  }))

test.each(['', 'Ünicode', 'UPPER', 'a b', '-x', 'x'.repeat(64), 'a~1', 'socket', 'scheduler', 'anonymous'])(
  'createToken() refuses the name %p',
  (name) =>
    withStore((store) => expect(() => createToken(store, { ...wanted, name }, NOW)).toThrow('Cannot')),
)

test('createToken() refuses an end that has passed', () =>
  withStore((store) => {
    expect(() => createToken(store, { ...wanted, expiresAt: NOW }, NOW)).toThrow('expired already')
  }))

test('createToken() gives the name of a revoked token again, and keeps the old one apart', () =>
  withStore((store) => {
    const first = createToken(store, wanted, NOW)
    revokeToken(store, 'prometheus', NOW)
    const second = createToken(store, wanted, NOW)
    expect(findToken(store, first.secret, NOW)).toBeUndefined()
    expect(findToken(store, second.secret, NOW)?.name).toBe('prometheus')
    expect(listTokens(store, NOW).map(({ name, state }) => [name, state])).toEqual([
      ['prometheus', 'active'],
      ['prometheus~1', 'revoked'],
    ])
  }))

test('findToken() refuses a token from the moment it expires', () =>
  withStore((store) => {
    const { secret } = createToken(store, { ...wanted, expiresAt: NOW + HOUR }, NOW)
    expect(findToken(store, secret, NOW + HOUR - 1)).toBeDefined()
    expect(findToken(store, secret, NOW + HOUR)).toBeUndefined()
    expect(listTokens(store, NOW + HOUR)[0]?.state).toBe('expired')
  }))

test('findToken() refuses a revoked token at once', () =>
  withStore((store) => {
    const { secret } = createToken(store, wanted, NOW)
    revokeToken(store, 'prometheus', NOW)
    expect(findToken(store, secret, NOW)).toBeUndefined()
    expect(() => revokeToken(store, 'prometheus', NOW)).toThrow('it is revoked')
    expect(() => revokeToken(store, 'nobody', NOW)).toThrow('there is none')
  }))

test('findToken() refuses what is no token, such as the stored digest of one', () =>
  withStore((store) => {
    const { secret } = createToken(store, wanted, NOW)
    const digest = store.orm.select().from(tokens).get()?.sha256 ?? ''
    for (const presented of ['', 'x', digest, `reeve_${digest}`, `${secret} `, secret.toUpperCase()]) {
      expect(findToken(store, presented, NOW)).toBeUndefined()
    }
  }))

test('noteTokenUse() writes at most once a minute', () =>
  withStore((store) => {
    const { secret } = createToken(store, wanted, NOW)
    const used = () => listTokens(store, NOW)[0]?.lastUsedAt
    const use = (at: number) => {
      const token = findToken(store, secret, at)
      if (token) noteTokenUse(store, token, at)
    }
    use(NOW)
    use(NOW + 59_999)
    expect(used()).toBe(NOW)
    use(NOW + 60_000)
    expect(used()).toBe(NOW + 60_000)
  }))

test('rotateToken() makes both good for the overlap, then only the new one', () =>
  withStore((store) => {
    const old = createToken(store, { ...wanted, scope: 'operate' }, NOW)
    const rotated = rotateToken(store, 'prometheus', { overlapMs: HOUR, expiresAt: null }, NOW)
    expect(rotated.token).toMatchObject({ name: 'prometheus', scope: 'operate', expiresAt: null })
    expect(rotated.previous).toMatchObject({ name: 'prometheus~1', expiresAt: NOW + HOUR })
    expect(findToken(store, old.secret, NOW + HOUR - 1)?.name).toBe('prometheus~1')
    expect(findToken(store, old.secret, NOW + HOUR)).toBeUndefined()
    expect(findToken(store, rotated.secret, NOW + HOUR)?.name).toBe('prometheus')
  }))

test('rotateToken() never lengthens the life of the old token', () =>
  withStore((store) => {
    createToken(store, { ...wanted, expiresAt: NOW + 10 }, NOW)
    const { previous } = rotateToken(store, 'prometheus', { overlapMs: HOUR, expiresAt: null }, NOW)
    expect(previous.expiresAt).toBe(NOW + 10)
  }))

test('rotateToken() without overlap ends the old token at once', () =>
  withStore((store) => {
    const { secret } = createToken(store, wanted, NOW)
    rotateToken(store, 'prometheus', { overlapMs: 0, expiresAt: null }, NOW)
    expect(findToken(store, secret, NOW)).toBeUndefined()
  }))

test('rotateToken() refuses what is not there or not usable', () =>
  withStore((store) => {
    const options = { overlapMs: HOUR, expiresAt: null }
    expect(() => rotateToken(store, 'prometheus', options, NOW)).toThrow('there is none')
    createToken(store, wanted, NOW)
    revokeToken(store, 'prometheus', NOW)
    expect(() => rotateToken(store, 'prometheus', options, NOW)).toThrow('it is revoked')
  }))
