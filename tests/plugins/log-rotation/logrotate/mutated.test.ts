import { expect, setDefaultTimeout } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { logrotate } from '../../../../plugins/log-rotation/program/main.ts'
import { testWith } from '../../../kit/needs.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { cases } from './cases.ts'
import { isNewer, messages, REAL } from './oracle.ts'

const RUNS = Number(process.env.LOGROTATE_CASES ?? 150)
setDefaultTimeout(600_000)

const PIECES = [
  '{',
  '}',
  '"',
  "'",
  '\\',
  '#',
  '\n',
  ' ',
  '\t',
  '=',
  '\r',
  '/',
  '~',
  '\0',
  'é',
  '+',
  ',',
  '-1',
  '0x10',
  '010',
  '*',
  '[',
  'endscript\n',
  'prerotate\n',
  'postrotate x\n',
  'rotate',
  '/x {\n}\n',
  'compressoptions "a b" c\\',
  'weekly 3',
  'su root',
  'create 640',
  'ignoreduplicates\n',
  '99999999999999999999',
]

const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.constantFrom(0, 0, 1, 2, 5, 20),
  piece: fc.constantFrom('', ...PIECES),
})

/** What is no more than a text: wrong in ways that nobody thought of. */
const configurations = fc
  .tuple(cases(true), fc.array(change, { minLength: 1, maxLength: 6 }))
  .map(([{ config }, changes]) =>
    changes.reduce(
      (text, { at, removed, piece }) => {
        const from = Math.floor(at * text.length)
        return text.slice(0, from) + piece + text.slice(from + removed)
      },
      config.replace(/^createolddir.*$|^mail .*$/gm, ''),
    ),
  )

testWith({
  programs: [REAL],
  root: true,
  reason: isNewer ? undefined : 'the messages of 3.22 are needed: LOGROTATE_PROGRAM=/path/of/logrotate',
})(
  'logrotate() reads what is wrong in a configuration, and plans the rest, to the word as the program does',
  async () => {
    using directory = temporaryDirectory()
    const [tree, file, state] = [
      join(directory.path, 'tree'),
      join(directory.path, 'conf'),
      join(directory.path, 'state'),
    ]
    mkdirSync(join(tree, 'old'), { recursive: true })
    for (const name of ['a.log', 'b.log', 'a b.log']) writeFileSync(join(tree, name), 'line\n')
    await fc.assert(
      fc.asyncProperty(configurations, async (config) => {
        writeFileSync(file, config.replaceAll('@', tree), { mode: 0o644 })
        const args = ['-df', '-s', state, file]
        const real = Bun.spawnSync([REAL, ...args], { stdout: 'ignore' })
        let said = ''
        const exit = await logrotate(args, (text) => {
          said += text
        })
        expect([exit, ...messages(said)]).toEqual([real.exitCode, ...messages(String(real.stderr))])
      }),
      { numRuns: RUNS, seed: 22, endOnFailure: false },
    )
  },
)
