import { describe, expect, test } from 'bun:test'
import { chmodSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { compareTreeOrder, globMatcher } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS, toGrants } from '../../../agent/host/grants.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { asOrdinaryUser, isRoot } from '../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

/** A tree of files; a name that ends with "/" is a directory. */
function makeTree(top: string, paths: string[]): void {
  for (const path of paths) {
    const full = `${top}/${path}`
    mkdirSync(toSystemPath(path.endsWith('/') ? full : dirname(full)), { recursive: true })
    if (!path.endsWith('/')) writeFileSync(toSystemPath(full), '')
  }
}

function glob(top: string, pattern: string) {
  const blind: [string, string][] = []
  const host = new LocalHostReader('/', ALL_GRANTS)
  const entries = host.glob(top + pattern, (path, reason) => blind.push([path.slice(top.length), reason]))
  return { paths: entries.map((entry) => entry.path.slice(top.length)), blind }
}

describe('glob()', () => {
  const tree = [
    'a/x.log',
    'a/y.log',
    'a/y.txt',
    'a/.z.log',
    'a/sub/x.log',
    'b/x.log',
    'a-b/x.log',
    'c',
    'a/.h/x',
  ]
  test.each([
    ['/a/x.log', ['/a/x.log']],
    ['/a/*.log', ['/a/x.log', '/a/y.log']],
    ['/a/.*.log', ['/a/.z.log']],
    ['/*/x.log', ['/a/x.log', '/a-b/x.log', '/b/x.log']],
    ['/[ab]/?.log', ['/a/x.log', '/a/y.log', '/b/x.log']],
    ['/{a,b}/x.{log,txt}', ['/a/x.log', '/b/x.log']],
    ['/{a/sub,b}/*.log', ['/a/sub/x.log', '/b/x.log']],
    ['/a/**/x.log', ['/a/sub/x.log', '/a/x.log']],
    [
      '/a/**',
      ['/a/.h', '/a/.h/x', '/a/.z.log', '/a/sub', '/a/sub/x.log', '/a/x.log', '/a/y.log', '/a/y.txt'],
    ],
    ['/a/**/sub/**', ['/a/sub/x.log']],
    ['/a', ['/a']],
    ['/missing', []],
    ['/missing/*', []],
    ['/c/*', []],
    ['/c/x', []],
  ])('glob(%p) gives %p', (pattern, expected) => {
    using directory = temporaryDirectory()
    makeTree(directory.path, tree)
    expect(glob(directory.path, pattern)).toEqual({ paths: expected, blind: [] })
  })

  test('glob() of "/" and of "/*" begins at the root directory that is given', () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, ['etc/', 'usr/'])
    const host = new LocalHostReader(directory.path, ALL_GRANTS)
    expect(host.glob('/', () => {}).map((entry) => entry.path)).toEqual(['/'])
    expect(host.glob('/*', () => {}).map((entry) => entry.path)).toEqual(['/etc', '/usr'])
  })

  test('glob() finds what globMatcher() matches, in tree order', () => {
    using directory = temporaryDirectory()
    const name = fc.constantFrom('a', 'b', 'ab', '.a', 'a.b', 'a-b', 'é', 'a\udcff')
    const paths = fc.sample(fc.array(name, { minLength: 1, maxLength: 4 }), { numRuns: 60, seed: 5 })
    makeTree(
      directory.path,
      paths.map((names) => `${names.join('/')}/`),
    )
    const all = glob(directory.path, '/**').paths
    expect(all.length).toBeGreaterThan(50)
    expect(all).toEqual([...all].sort(compareTreeOrder))
    const component = fc.constantFrom(
      'a',
      '*',
      '**',
      '?',
      '.*',
      'a*',
      '*b',
      '[ab]',
      '[!a]*',
      '{a,b*}',
      '{.a/,}a',
    )
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 5 }), (components) => {
        const pattern = `/${components.join('/')}`
        const matches = globMatcher([pattern])
        expect(glob(directory.path, pattern).paths).toEqual(all.filter(matches))
      }),
      { seed: 6, numRuns: 200 },
    )
  })

  test('glob() is blind on a directory that it may not list, and still finds what is named in it', async () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, ['a/x', 'b/x'])
    chmodSync(directory.path, 0o755)
    chmodSync(`${directory.path}/a`, 0o711)
    const { wild, both } = await asOrdinaryUser(() => ({
      wild: glob(directory.path, '/*/*'),
      both: glob(directory.path, '/a/{x,*}'),
    }))
    expect(wild).toEqual({ paths: ['/b/x'], blind: [['/a', 'permission denied']] })
    expect(both).toEqual({ paths: ['/a/x'], blind: [['/a', 'permission denied']] })
  })

  test('glob() stays quick with many "**" in a deep tree', () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, [`${'a/'.repeat(60)}x`])
    const started = performance.now()
    expect(glob(directory.path, '/**/a/**/a/**/a/**/a/**/x').paths).toHaveLength(1)
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('glob() needs no listing for a path without wildcards', async () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, ['a/x'])
    chmodSync(directory.path, 0o711)
    chmodSync(`${directory.path}/a`, 0o711)
    expect(await asOrdinaryUser(() => glob(directory.path, '/a/x'))).toEqual({ paths: ['/a/x'], blind: [] })
    const host = new LocalHostReader(
      '/',
      toGrants({}, '/state', (path) => [path]),
    )
    expect(host.glob(`${directory.path}/a/x`, () => {})).toHaveLength(1)
    expect(() => host.glob(`${directory.path}/a/*`, () => {})).toThrow('permissions.list')
    expect(() => host.glob(`${directory.path}/{a,b}/{x,*}`, () => {})).toThrow('permissions.list')
  })
})

describe('glob() and links', () => {
  test('glob() gives a link itself, and follows one only where the pattern names it', () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, ['real/x', 'd/real/x'])
    symlinkSync('real', `${directory.path}/link`)
    symlinkSync('..', `${directory.path}/d/up`)
    expect(glob(directory.path, '/link').paths).toEqual(['/link'])
    expect(glob(directory.path, '/link/x').paths).toEqual(['/link/x'])
    expect(glob(directory.path, '/link/*').paths).toEqual(['/link/x'])
    expect(glob(directory.path, '/l*/x').paths).toEqual([])
    expect(glob(directory.path, '/**/x').paths).toEqual(['/d/real/x', '/real/x'])
  })

  test.skipIf(!isRoot)('glob() is blind on a named link that belongs to somebody else', () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, ['real/x'])
    symlinkSync('real', `${directory.path}/link`)
    lchownSync(`${directory.path}/link`, 4711, 4711)
    expect(glob(directory.path, '/link/*')).toEqual({
      paths: [],
      blind: [['/link', 'a symbolic link of user 4711 is not followed: name the directory it leads to']],
    })
    expect(glob(directory.path, '/link').paths).toEqual(['/link'])
  })

  test('glob() is not troubled by links that lead nowhere or in a circle', () => {
    using directory = temporaryDirectory()
    symlinkSync('nowhere', `${directory.path}/dangling`)
    symlinkSync('circle', `${directory.path}/circle`)
    expect(glob(directory.path, '/dangling/x')).toEqual({ paths: [], blind: [] })
    expect(glob(directory.path, '/circle/x').paths).toEqual([])
    expect(glob(directory.path, '/*').paths).toEqual(['/circle', '/dangling'])
  })
})

describe('globAll()', () => {
  async function globAll(top: string, patterns: string[]) {
    const host = new LocalHostReader('/', ALL_GRANTS)
    const found: [string, number[]][] = []
    for await (const batch of host.globAll(
      patterns.map((pattern) => top + pattern),
      { onBlind: () => {} },
    )) {
      found.push(
        ...batch.map((match): [string, number[]] => [match.entry.path.slice(top.length), match.patterns]),
      )
    }
    return found
  }

  test('globAll() gives each entry once, with all the patterns that match it', async () => {
    using directory = temporaryDirectory()
    makeTree(directory.path, ['a/x', 'a/y', 'b/x'])
    expect(await globAll(directory.path, ['/*/x', '/a/*', '/a/x', '/{a,b,a*}', '/none'])).toEqual([
      ['/a', [3]],
      ['/a/x', [0, 1, 2]],
      ['/a/y', [1]],
      ['/b', [3]],
      ['/b/x', [0]],
    ])
  })

  test('globAll() gives nothing for no patterns', async () => {
    expect(await globAll('', [])).toEqual([])
  })
})

const canMount = isRoot && Bun.spawnSync(['unshare', '-m', 'true']).exitCode === 0

test.skipIf(!canMount)('globAll() does not enter another file system by "**", and says so', () => {
  using directory = temporaryDirectory()
  makeTree(directory.path, ['d/mounted/', 'd/x'])
  const script = `
    mount -t tmpfs none "$1/d/mounted" && touch "$1/d/mounted/x" && exec "$2" -e '
      import { LocalHostReader } from "${import.meta.dir}/../../../agent/host/reader.ts"
      import { ALL_GRANTS } from "${import.meta.dir}/../../../agent/host/grants.ts"
      const host = new LocalHostReader("/", ALL_GRANTS)
      const found = []
      const options = { onBlind: console.error, onSkip: (path) => found.push("skipped " + path) }
      for await (const batch of host.globAll([process.argv[1] + "/d/**", process.argv[1] + "/d/mounted/*"], options))
        found.push(...batch.map(({ entry }) => entry.path))
      console.log(JSON.stringify(found.map((path) => path.replace(process.argv[1], ""))))
    ' "$1"`
  const child = Bun.spawnSync(['unshare', '-m', 'sh', '-c', script, 'sh', directory.path, process.execPath])
  expect(JSON.parse(child.stdout.toString())).toEqual([
    'skipped /d/mounted',
    '/d/mounted',
    '/d/mounted/x',
    '/d/x',
  ])
})
