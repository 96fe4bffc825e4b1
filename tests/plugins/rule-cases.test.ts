import { expect, test } from 'bun:test'
import { skippedFiles, unseenCases } from '../../scripts/rule-cases.ts'
import { ruleCases } from '../kit/rule-cases.ts'

const finding = (rule: string) => ({ rule, subject: 'x', severity: 'warning' as const, summary: 'x' })

test('ruleCases() takes no rule for silent that did not look', () => {
  const report = {
    findings: [finding('a')],
    blind: [{ subject: 'x', reason: 'x', rules: ['b'] }],
    inapplicable: [{ rule: 'c', reason: 'x' }],
  }
  const cases = (more: object) => ruleCases('p', 'check', ['a', 'b', 'c', 'd'], { ...report, ...more })
  expect(cases({})).toEqual(['p check a fired', 'p check d silent'])
  expect(cases({ blind: [{ subject: 'x', reason: 'x' }] })).toEqual(['p check a fired'])
  expect(cases({ coverage: { examined: 0, skipped: 3 } })).toEqual(['p check a fired'])
})

test('unseenCases() wants each rule to fire and to stay silent in the same phase', () => {
  const unseen = (...seen: string[]) => unseenCases('p', ['a'], new Set(seen))
  expect(unseen('p check a fired', 'p check a silent')).toEqual([])
  expect(unseen('p check a fired', 'p run a silent')).toEqual([])
  expect(unseen('p check a silent')).toEqual(['p a was never seen to fire'])
  expect(unseen('p check a fired', 'p apply a silent')).toEqual(['p a was never seen to stay silent'])
  expect(unseen('q check a fired', 'q check a silent')).toEqual(['p a was never seen to fire'])
})

test('skippedFiles() knows a file about the machine of which nothing ran', () => {
  const suite = (name: string, tests: number, skipped: number) =>
    `<testsuite name="${name}" file="${name}" tests="${tests}" assertions="1" failures="0" skipped="${skipped}" time="1">`
  const suites = [
    suite('tests/e2e/a.test.ts', 3, 1),
    suite('tests/e2e/b.test.ts', 2, 2),
    suite('tests/c.test.ts', 2, 2),
  ]
  expect(skippedFiles(suites.join('\n'))).toEqual(['tests/e2e/b.test.ts'])
})
