import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { readConfiguration } from '../../../plugins/web-front-end/nginx/include.ts'
import { type Directive, NginxProblem, parseNginx } from '../../../plugins/web-front-end/nginx/parse.ts'
import { testWith } from '../../kit/needs.ts'
import { askNginx, NGINX_PROGRAM, nginxConfiguration } from '../../kit/nginx.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const VARIABLE = '$'.concat('{b}')
const live = testWith({ programs: [NGINX_PROGRAM] })

const shown = (directives: Directive[]): unknown[] =>
  directives.map(({ name, words, line, block }) =>
    block ? [line, name, words, shown(block)] : [line, name, words],
  )

test.each([
  ['a directive', 'a b c;', [[1, 'a', ['b', 'c']]]],
  [
    'its line where it begins',
    '\n\na\n b\n;\nc;',
    [
      [3, 'a', ['b']],
      [6, 'c', []],
    ],
  ],
  ['comments', '# a;\nb # c;\nd; #', [[2, 'b', ['d']]]],
  ['a hash within a word', 'a b#c;', [[1, 'a', ['b#c']]]],
  ['quotes', `a "b ; { c" 'd "e"';`, [[1, 'a', ['b ; { c', 'd "e"']]]],
  [
    'quotes over lines',
    'a "b\nc";\nd;',
    [
      [1, 'a', ['b\nc']],
      [3, 'd', []],
    ],
  ],
  [
    'escapes',
    String.raw`a \"b "c\"d" \.e "f\tg" h\\i;`,
    [[1, 'a', ['"b', 'c"d', String.raw`\.e`, 'f\tg', String.raw`h\i`]]],
  ],
  ['variables in braces', `a ${VARIABLE}c$d{ e; }`, [[1, 'a', [`${VARIABLE}c$d`], [[1, 'e', []]]]]],
  ['a brace after a word', 'a b{c d;}', [[1, 'a', ['b'], [[1, 'c', ['d']]]]]],
  ['a condition', 'if ($a = "b") { c; }', [[1, 'if', ['($a', '=', 'b', ')'], [[1, 'c', []]]]]],
  ['nothing', '\n# nothing\n', []],
  [
    'Lua',
    'a_by_lua_block { -- }\n s = "}" t = [[ } ]] if {} then }\nb;',
    [
      [1, 'a_by_lua_block', []],
      [3, 'b', []],
    ],
  ],
])('parseNginx() reads %s', (_, text, directives) => {
  expect(shown(parseNginx('/x', text))).toEqual(directives)
})

// Each within a block, so that the real one says the same and of the same line.
const BROKEN = [
  'a b',
  'a b }',
  '{ a; }',
  ';',
  'map $a $b { c d; ',
  'set $a "b"c;',
  'set $a "b;',
  "set $a 'b\n\n;",
  'map $host $b { c d; }\n}\n}',
  'a \\',
]

live('parseNginx() refuses what nginx refuses, at the same line', () => {
  using directory = temporaryDirectory()
  for (const text of BROKEN) {
    const path = nginxConfiguration(directory.path, `\n${text}`)
    const { exitCode, stderr } = askNginx('-t', path)
    expect([text, exitCode]).toEqual([text, 1])
    const [, problem = '', line] = /\[emerg\] \d+#\d+: (.*) in .*:(\d+)$/m.exec(stderr) ?? []
    const said = refusalOf(path)
    expect([text, said?.line, said?.problem.replaceAll(' ', '')]).toEqual([
      text,
      Number(line),
      problem.replaceAll(' ', '').replace('";"or"}"', '";"or"}"'),
    ])
  }
})

function refusalOf(path: string): NginxProblem | undefined {
  try {
    parseNginx(path, readFileSync(path, 'utf8'))
    return undefined
  } catch (error) {
    if (error instanceof NginxProblem) return error
    throw error
  }
}

live('parseNginx() takes what nginx takes', () => {
  using directory = temporaryDirectory()
  const path = nginxConfiguration(
    directory.path,
    String.raw`
    map $http_upgrade $connection_upgrade { default upgrade; '' close; "~^a{2}$" x; }
    map $host $site { hostnames; .example.org "one;"; default "${'$'}{host}x"; }
    log_format main '$remote_addr - "$request" '
                    '$status';
    server { listen 127.0.0.1:1; server_name ~^(?<sub>.+)\.example\.org$ _;
      location ~ "^/a{1,2}\.(php|html)$" { return 200 "a\"b;{"; }
      location ~* "\.(jpe?g){1}$" { if ($scheme = "http") { return 301 https://$host$request_uri; } }
    }
    types { text/html html htm; }`,
  )
  const { exitCode, stderr } = askNginx('-t', path)
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining('syntax is ok')])
  expect(parseNginx(path, readFileSync(path, 'utf8')).map(({ name }) => name)).toContain('http')
})

live('readConfiguration() reads the files that nginx -T shows, in its order', () => {
  using directory = temporaryDirectory()
  const write = (name: string, text: string) => {
    mkdirSync(join(directory.path, name, '..'), { recursive: true })
    writeFileSync(join(directory.path, name), text)
  }
  write('conf.d/b.conf', 'include snippets/one.conf;')
  write('conf.d/a.conf', 'server { listen 127.0.0.1:1; include snippets/[ot]*.conf; }')
  write('conf.d/B.conf', '# nothing')
  write('conf.d/.hidden.conf', 'not read')
  write('snippets/one.conf', 'add_header A b;')
  write('snippets/two.conf', 'server_tokens off;')
  const path = nginxConfiguration(directory.path, 'include conf.d/*.conf; include nothing/*.conf;')
  const { exitCode, stdout, stderr } = askNginx('-T', path)
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining('test is successful')])
  const listed = [...stdout.matchAll(/^# configuration file (.*):$/gm)].map(([, file]) => file)
  const file = (name: string) => ({ path: name, text: readFileSync(name, 'utf8') })
  const { files, directives } = readConfiguration(file(path), (pattern) => {
    const glob = new Bun.Glob(pattern.slice(1))
    return [...glob.scanSync({ cwd: '/', absolute: true })].toSorted().map(file)
  })
  expect(files.map((one) => one.path)).toEqual(listed as string[])
  expect(listed).toHaveLength(6)
  expect(JSON.stringify(directives)).not.toContain('include')
})

test('readConfiguration() refuses a missing file, a circle, and tells the line', () => {
  const main = (text: string) => ({ path: '/etc/nginx/nginx.conf', text })
  expect(() => readConfiguration(main('\ninclude a.conf;'), () => [])).toThrow(
    '/etc/nginx/nginx.conf:2: the included file "a.conf" does not exist',
  )
  expect(() => readConfiguration(main('include a*;'), () => [main('include a*;')])).toThrow('16 deep')
  const asked: string[] = []
  readConfiguration(main('include a.d/*; include /b;'), (pattern) => {
    asked.push(pattern)
    return [{ path: pattern, text: '' }]
  })
  expect(asked).toEqual(['/etc/nginx/a.d/*', '/b'])
})

test('parseNginx() ends on any text, with directives or a problem', () => {
  const text = fc.string({ unit: fc.constantFrom(...`ab $${'{'}};"'\\#\n()`), maxLength: 60 })
  fc.assert(
    fc.property(text, (input) => {
      try {
        return parseNginx('/x', input).every(({ line }) => line >= 1 && line <= input.split('\n').length)
      } catch (error) {
        return error instanceof NginxProblem
      }
    }),
    { seed: 7, numRuns: 3000 },
  )
  expect(() => parseNginx('/x', 'a { '.repeat(100))).toThrow('deeper than 64')
})

live('parseNginx() agrees with nginx on random texts', () => {
  using directory = temporaryDirectory()
  chmodSync(directory.path, 0o755)
  // `map` takes any two words, so what nginx refuses is the text itself.
  const part = fc.constantFrom('a', '"b c"', "'d'", VARIABLE, '\\;', ' ', '\n', ';', '#x\n', '"', '}', '{')
  const texts = fc
    .sample(fc.array(part, { maxLength: 8 }), { seed: 11, numRuns: 60 })
    .map((parts) => parts.join(''))
  const syntactic = /unexpected (?:end of file|"[;{}]|"\w)/
  for (const text of texts) {
    const path = nginxConfiguration(directory.path, `map $a $b {\n${text}\n}`)
    const { stderr } = askNginx('-t', path)
    const refused = refusalOf(path)
    // Words that make no sense in a map are no matter of syntax, and end the reading before its end.
    if (syntactic.test(stderr)) expect([text, refused?.message]).toEqual([text, expect.any(String)])
    if (stderr.includes('syntax is ok')) expect([text, refused?.message]).toEqual([text, undefined])
  }
})
