import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { compileInclude, compilePatterns, startPaths } from '../../../../plugins/backup/source/selection.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'

test.each<[string[], string[]]>([
  [
    ['/var/lib', '/etc'],
    ['/etc', '/var/lib'],
  ],
  [
    ['/etc/ssh', '/etc'],
    ['/etc', '/etc/ssh'],
  ],
  [['/etc', '/etc'], ['/etc']],
])('startPaths(%p) is %p', (paths, starts) => {
  expect(startPaths(paths)).toEqual(starts)
})

const SOURCES = ['/srv/app', '/etc']

test.each<[string[], string, boolean]>([
  [['*.tmp'], '/srv/app/x.tmp', true],
  [['*.tmp'], '/srv/app/.tmp', true],
  [['*.tmp'], '/srv/app/x.txt', false],
  [['node_modules'], '/srv/app/a/node_modules', true],
  [['node_modules'], '/srv/app/node_modules2', false],
  [['node_modules/'], '/srv/app/directory/node_modules', false],
  [['directory/'], '/srv/app/directory', true],
  [['/var/cache/**'], '/var/cache/apt/x', true],
  [['/var/cache/**'], '/var/cache', false],
  [['/var/cache'], '/srv/app/var/cache', false],
  [['/var/*/tmp'], '/var/a/tmp', true],
  [['/var/*/tmp'], '/var/a/b/tmp', false],
  [['/var/**/tmp'], '/var/tmp', true],
  [['/var/**/tmp'], '/var/a/b/tmp', true],
  [['cache/x'], '/srv/app/cache/x', true],
  [['cache/x'], '/etc/cache/x', true],
  [['cache/x'], '/srv/app/deep/cache/x', false],
  [['**/cache/x'], '/srv/app/deep/cache/x', true],
  [['a/**'], '/srv/app/a/b/c', true],
  [['file?'], '/etc/file1', true],
  [['file[0-9]'], '/etc/file1', true],
  [['file[!0-9]'], '/etc/file1', false],
  [['file[[:alpha:]]'], '/etc/filex', true],
  [['a+b(c).$'], '/etc/a+b(c).$', true],
  [['\\!important'], '/etc/!important', true],
  [['\\#hash'], '/etc/#hash', true],
  [['# a comment', ''], '/etc/# a comment', false],
  [['name  '], '/etc/name', true],
  [['*.log', '!keep.log'], '/etc/keep.log', false],
  [['*.log', '!keep.log'], '/etc/other.log', true],
  [['!keep.log', '*.log'], '/etc/keep.log', true],
  [['*.tmp'], '/etc/not-\udcff-utf8.tmp', true],
])('compilePatterns(%p) chooses %p: %p', (patterns, path, isChosen) => {
  const isDirectory = () => path.endsWith('/directory')
  expect(compilePatterns(patterns, SOURCES)(path, isDirectory)).toBe(isChosen)
})

test('compilePatterns() agrees with git', () => {
  const patterns = [
    '*.log',
    '!keep.log',
    'build/',
    '/top',
    'doc/*.txt',
    'deep/**/x',
    'a[bc]d',
    'q?',
    '**/any/here',
  ]
  const paths = [
    'x.log',
    'keep.log',
    'sub/keep.log',
    'build',
    'sub/top',
    'top',
    'doc/a.txt',
    'doc/b/a.txt',
    'sub/doc/a.txt',
    'deep/x',
    'deep/1/2/x',
    'abd',
    'aed',
    'q1',
    'q12',
    'one/any/here',
  ]
  using work = temporaryDirectory()
  const git = (args: string[], stdin = '') =>
    Bun.spawnSync(['git', '-c', 'safe.directory=*', ...args], { cwd: work.path, stdin: Buffer.from(stdin) })
  git(['init', '-q'])
  writeFileSync(`${work.path}/.gitignore`, patterns.join('\n'))
  const result = git(['check-ignore', '--no-index', '--stdin'], paths.join('\n'))
  expect(result.exitCode).toBe(0)
  // Here a pattern that begins with a slash is about a path of the host.
  const own = patterns.map((pattern) => (pattern.startsWith('/') ? work.path + pattern : pattern))
  const isChosen = compilePatterns(own, [work.path])
  expect(paths.filter((path) => isChosen(`${work.path}/${path}`, () => false))).toEqual(
    result.stdout.toString().trim().split('\n'),
  )
})

test.each<[string[], string, boolean]>([
  [[], '/etc/passwd', true],
  [['*.conf'], '/etc/a/b.conf', true],
  [['*.conf'], '/etc/a/b.txt', false],
  [['ssh/'], '/etc/ssh/deep/key', true],
  [['ssh/'], '/etc/ssh', false],
  [['/etc/ssh'], '/etc/ssh/key', true],
])('compileInclude(%p) includes %p: %p', (patterns, path, isIncluded) => {
  expect(compileInclude(patterns, SOURCES)(path)).toBe(isIncluded)
})
