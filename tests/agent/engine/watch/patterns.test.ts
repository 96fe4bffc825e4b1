import { expect, test } from 'bun:test'
import {
  interestedIn,
  namesIn,
  ownersOf,
  startOf,
  step,
  type Wanted,
} from '../../../../agent/engine/watch/patterns.ts'

/** What is wanted of a path: who matches it, and who may match something below. */
function at(patterns: Record<string, string[]>, path: string): { match: string[]; below: string[] } {
  let wanted: Wanted = startOf(new Map(Object.entries(patterns)))
  for (const name of path.split('/').filter((part) => part !== '')) wanted = step(wanted, name)
  return { match: [...ownersOf(wanted)].toSorted(), below: [...interestedIn(wanted)].toSorted() }
}

const patterns = {
  keys: ['/home/*/.ssh/{id_*,authorized_keys}'],
  etc: ['/etc', '/etc/**'],
  shadow: ['/etc/shadow'],
  deep: ['/srv/**/conf/*.yaml'],
}

test.each([
  ['/', [], ['deep', 'etc', 'keys', 'shadow']],
  ['/home', [], ['keys']],
  ['/home/ana', [], ['keys']],
  ['/home/.ana', [], []],
  ['/home/ana/.ssh', [], ['keys']],
  ['/home/ana/.ssh/id_rsa', ['keys'], ['keys']],
  ['/home/ana/.ssh/known_hosts', [], []],
  ['/etc', ['etc'], ['etc', 'shadow']],
  ['/etc/shadow', ['etc', 'shadow'], ['etc', 'shadow']],
  ['/etc/.hidden/x', ['etc'], ['etc']],
  ['/srv', [], ['deep']],
  ['/srv/conf/a.yaml', ['deep'], ['deep']],
  ['/srv/a/b/conf/a.yaml', ['deep'], ['deep']],
  ['/srv/a/b/conf/a.json', [], ['deep']],
  ['/usr', [], []],
])('step() to %s leaves matches of %p and interest of %p', (path, match, below) => {
  expect(at(patterns, path)).toEqual({ match, below })
})

test('namesIn() tells when a directory need not be listed', () => {
  const start = startOf(new Map(Object.entries(patterns)))
  expect(namesIn(start)?.toSorted()).toEqual(['etc', 'home', 'srv'])
  expect(namesIn(step(start, 'home'))).toBeUndefined()
  expect(namesIn(step(step(start, 'home'), 'ana'))).toEqual(['.ssh'])
  expect(namesIn(step(start, 'etc'))).toBeUndefined()
})
