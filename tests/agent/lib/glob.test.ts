import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { expandBraces, globMatcher } from '../../../agent/lib/glob.ts'

describe('globMatcher()', () => {
  test.each([
    ['/etc/passwd', '/etc/passwd', true],
    ['/etc/passwd', '/etc/passwd2', false],
    ['/etc/pass.d', '/etc/passXd', false],
    ['/etc/*', '/etc/passwd', true],
    ['/etc/*', '/etc/ssh/moduli', false],
    ['/etc/*', '/etc/.hidden', false],
    ['/etc/.*', '/etc/.hidden', true],
    ['/etc/?', '/etc/a', true],
    ['/etc/?', '/etc/é', true],
    ['/etc/?', '/etc/😀', true],
    ['/etc/?', '/etc/ab', false],
    ['/etc/?', '/etc/.', false],
    ['/e*c/*', '/etc/x', true],
    ['/a/*b*', '/a/xby', true],
    ['/a/*b*', '/a/xy', false],
    ['/a/[a-c]', '/a/b', true],
    ['/a/[a-c]', '/a/d', false],
    ['/a/[!a-c]', '/a/d', true],
    ['/a/[^a-c]', '/a/b', false],
    ['/a/[!a-c]', '/a/.', false],
    ['/a/[]x]', '/a/]', true],
    ['/a/[a-]', '/a/-', true],
    ['/a/[c-a]', '/a/b', false],
    ['/a/[*]', '/a/*', true],
    ['/a/[*]', '/a/b', false],
    ['/a/[x', '/a/[x', true],
    ['/a[!x]b', '/a/b', false],
    ['/a/(b|c)+$', '/a/(b|c)+$', true],
    ['/a/(b|c)', '/a/b', false],
    ['/a/**', '/a', false],
    ['/a/**', '/a/b', true],
    ['/a/**', '/a/b/.c/d', true],
    ['/a/**/d', '/a/d', true],
    ['/a/**/d', '/a/b/.c/d', true],
    ['/a/**/d', '/a/bd', false],
    ['/a/**/*', '/a/b/c', true],
    ['/a/**/*', '/a/b/.c', false],
    ['/**', '/a/b', true],
    ['**', '/a/b', true],
    ['**/*.swp', '/a/b/x.swp', true],
    ['**/*.swp', 'x.swp', true],
    ['**/*.swp', '/a/b/.x.swp', false],
    ['/{a,b/c}/*.{x,y}', '/b/c/1.y', true],
    ['/{a,b/c}/*.{x,y}', '/b/1.y', false],
    ['ssh*.service', 'sshd.service', true],
    ['/a/*', '/a/b\nc', true],
    ['/a/*', '/a/\udcff', true],
    ['/', '/', true],
  ])('%p matches %p: %p', (pattern, path, expected) => {
    expect(globMatcher([pattern])(path)).toBe(expected)
  })

  test('globMatcher() matches nothing without patterns, and any of several', () => {
    expect(globMatcher([])('/a')).toBe(false)
    expect(globMatcher(['/a', '/b/*'])('/b/c')).toBe(true)
  })

  test('globMatcher() takes any path without wildcards as it is', () => {
    const name = fc.stringMatching(/^[^*?[{/\0]{1,8}$/)
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
        const path = `/${names.join('/')}`
        return globMatcher([path])(path) && !globMatcher([path])(`${path}x`)
      }),
      { seed: 1 },
    )
  })
})

describe('expandBraces()', () => {
  test.each([
    ['/a', ['/a']],
    ['/{a,b}', ['/a', '/b']],
    ['/{a,b}/{c,d}', ['/a/c', '/a/d', '/b/c', '/b/d']],
    ['/{a,{b,c}d}', ['/a', '/bd', '/cd']],
    ['/{,x}a', ['/a', '/xa']],
    ['/{a}', ['/{a}']],
    ['/{{a}}', ['/{{a}}']],
    ['/{a}{b,c}', ['/{a}b', '/{a}c']],
    ['/{a,b', ['/{a,b']],
    ['/a}', ['/a}']],
  ])('expandBraces(%p) is %p', (pattern, expected) => {
    expect(expandBraces(pattern)).toEqual(expected)
  })

  test('expandBraces() refuses a pattern that stands for very many', () => {
    expect(() => expandBraces('{a,b}'.repeat(20))).toThrow('more than 1000')
  })
})
