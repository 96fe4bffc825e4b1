import { expect, test } from 'bun:test'
import { parseBoolean, parseUnit, splitWords } from '../../../plugins/systemd-units/files/parse-unit.ts'
import { dropInNames, expandSpecifiers } from '../../../plugins/systemd-units/files/unit-name.ts'

test('parseUnit() gives each directive with its section and the line where it begins', () => {
  const text = [
    '# a comment',
    '[Unit]',
    'Description = of blanks around',
    '',
    '[Service]',
    'ExecStart=/bin/app \\',
    '# in between',
    '  --one \\',
    '  --two',
    '; another comment',
    'Environment="A=1"',
    'no directive',
    '=nor this',
    'ReadWritePaths=',
  ].join('\n')
  expect(parseUnit('/x', text).map(({ section, key, value, line }) => [section, key, value, line])).toEqual([
    ['Unit', 'Description', 'of blanks around', 3],
    ['Service', 'ExecStart', '/bin/app  --one  --two', 6],
    ['Service', 'Environment', '"A=1"', 11],
    ['Service', 'ReadWritePaths', '', 14],
  ])
})

test('parseUnit() does not go on after a backslash that is escaped', () => {
  expect(parseUnit('/x', '[A]\nB=c\\\\\nD=e').map(({ key }) => key)).toEqual(['B', 'D'])
})

test.each([
  ['1', 'yes'],
  ['ON', 'yes'],
  ['f', 'no'],
  ['off', 'no'],
  ['strict', undefined],
  ['', undefined],
])('parseBoolean() of "%s" is %p', (text, value) => {
  expect(parseBoolean(text)).toBe(value as never)
})

test('splitWords() keeps blanks in quotes', () => {
  expect(splitWords(`/bin/sh -c "a b" 'c d' e\\ f`)).toEqual(['/bin/sh', '-c', 'a b', 'c d', 'e\\ f'])
})

test.each([
  ['a.service', ['a.service', 'service']],
  ['a-b-c.service', ['a-b-c.service', 'a-b-.service', 'a-.service', 'service']],
  ['a@1.service', ['a@1.service', 'a@.service', 'service']],
])('dropInNames() of %s', (name, names) => {
  expect(dropInNames(name)).toEqual(names)
})

test.each([
  ['/etc/%p/%i.env', 'app@blue.service', '/etc/app/blue.env'],
  ['%h/x', 'app.service', '/root/x'],
  ['100%%', 'app.service', '100%'],
  ['%f', 'srv-data.mount', '/srv/data'],
])('expandSpecifiers() of %s in %s is %s', (value, name, expanded) => {
  expect(expandSpecifiers(value, name, 'system')).toBe(expanded)
})
