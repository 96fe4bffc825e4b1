import { expect } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { parseServer } from '../../../plugins/ssh-settings/parse-server.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const VALUES = {
  PasswordAuthentication: ['yes', 'no'],
  KbdInteractiveAuthentication: ['yes', 'no'],
  PermitEmptyPasswords: ['yes', 'no'],
  PermitRootLogin: ['yes', 'no', 'forced-commands-only'],
  X11Forwarding: ['yes', 'no'],
  StrictModes: ['yes', 'no'],
  IgnoreRhosts: ['yes', 'no', 'shosts-only'],
  HostbasedAuthentication: ['yes', 'no'],
  MaxAuthTries: ['3', '6'],
}

/** sshd wants a directory in /run, which this host may not have: it gets one of its own. */
const within = (argv: string[]) =>
  Bun.spawnSync(['bwrap', '--dev-bind', '/', '/', '--tmpfs', '/run', '--dir', '/run/sshd', '--', ...argv])

const runs =
  process.geteuid?.() === 0 &&
  Bun.which('bwrap') !== null &&
  Bun.which('sshd', { PATH: '/usr/sbin' }) !== null &&
  within(['true']).exitCode === 0

const directive = fc
  .constantFrom(...(Object.keys(VALUES) as (keyof typeof VALUES)[]))
  .chain((key) =>
    fc.tuple(
      fc.constantFrom(key, key.toLowerCase(), key.toUpperCase()),
      fc.constantFrom(' ', '  ', '\t', ' = ', '='),
      fc.constantFrom(...VALUES[key]),
      fc.constantFrom('', ' # why', '\r'),
    ),
  )
  .map(([key, separator, value, end]) => `${key}${separator}${value}${end}`)
/** What sshd refuses below a Match it takes there in an included file, and ignores it. */
const inMatch = directive.filter((text) => !/^strictmodes/i.test(text))
const line = fc.oneof(
  { weight: 6, arbitrary: directive },
  { weight: 1, arbitrary: fc.constantFrom('', '# PermitRootLogin yes', '   ', 'Include part.conf') },
)
const block = fc
  .tuple(
    fc.constantFrom('Match User a,b', 'match address 10.0.0.0/8', 'Match all'),
    fc.array(inMatch, { maxLength: 3 }),
  )
  .map(([condition, lines]) => [condition, ...lines])
const file = fc
  .tuple(fc.array(line, { maxLength: 10 }), fc.array(block, { maxLength: 2 }))
  .map(([lines, blocks]) => [...lines, ...blocks.flat()])

testWith({ reason: runs ? undefined : 'sshd cannot be asked here: it takes root, sshd and bwrap' })(
  'parseServer() takes of any configuration what the real sshd takes',
  () => {
    using work = temporaryDirectory()
    mkdirSync(join(work.path, 'parts'))
    const [main, part, key] = ['sshd_config', 'parts/part.conf', 'key'].map((name) =>
      join(work.path, name),
    ) as [string, string, string]
    Bun.spawnSync(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
    let compared = 0
    fc.assert(
      fc.property(file, file, (lines, included) => {
        const write = (path: string, texts: string[]) =>
          writeFileSync(path, `${texts.map((text) => text.replace('part.conf', part)).join('\n')}\n`)
        write(
          part,
          included.filter((text) => !text.startsWith('Include')),
        )
        write(main, lines)
        const { exitCode, stdout, stderr } = within(['/usr/sbin/sshd', '-T', '-f', main, '-h', key])
        // Not everything may stand below a Match.
        if (exitCode !== 0) {
          expect(stderr.toString()).toMatch(
            /is not allowed within a Match block|Bad configuration|bad configuration|unsupported option/i,
          )
          return
        }
        compared++
        const effective = new Map(
          stdout
            .toString()
            .split('\n')
            .map((text): [string, string] => [text.split(' ')[0] ?? '', text.split(' ').slice(1).join(' ')]),
        )
        const texts = new Map([
          [main, lines],
          [part, included.filter((text) => !text.startsWith('Include'))],
        ])
        const textOf = (path: string) =>
          (texts.get(path) ?? []).map((text) => text.replace('part.conf', part)).join('\n')
        const { global } = parseServer(main, textOf(main), (path) => [{ path, text: textOf(path) }])
        for (const name of Object.keys(VALUES)) {
          const own = global.get(name.toLowerCase())
          if (own) expect([name, own.value]).toEqual([name, effective.get(name.toLowerCase()) ?? ''])
        }
      }),
      { seed: 11, numRuns: 150 },
    )
    expect(compared).toBeGreaterThan(50)
  },
)
