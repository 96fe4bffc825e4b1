import fc from 'fast-check'
import type { Case } from './oracle.ts'

const stamp = (daysAgo: number) => {
  const at = new Date(Date.now() - daysAgo * 86_400_000)
  return `${at.getFullYear()}${String(at.getMonth() + 1).padStart(2, '0')}${String(at.getDate()).padStart(2, '0')}`
}

const maybe = (text: string) => fc.constantFrom('', text)
const oneOf = (...texts: string[]) => fc.constantFrom('', ...texts)

/** Blocks that 3.21 and what came after it treat alike. */
const block = fc
  .record({
    pattern: fc.constantFrom(
      '@/a.log',
      '@/*.log',
      '@/a.log @/b.log',
      '"@/a b.log" @/b.log',
      '@/none.log @/a.log',
    ),
    rotate: oneOf('rotate 0', 'rotate 1', 'rotate 2', 'rotate 3', 'rotate -1'),
    when: oneOf(
      'daily',
      'weekly',
      'weekly 3',
      'monthly',
      'yearly',
      'hourly',
      'size 3',
      'size 1k',
      'weekly 7',
    ),
    keep: oneOf(
      'copy',
      'copytruncate',
      'create',
      'create 0600',
      'create 0640 root adm',
      'nocreate',
      'renamecopy',
    ),
    compress: oneOf('compress', 'compress\ndelaycompress', 'compress\ncompressoptions -1'),
    names: oneOf('dateext', 'dateext\ndateformat .%Y-%m-%d', 'dateext\ndateyesterday', 'start 0', 'start 3'),
    extension: oneOf('extension .log', 'addextension .old', 'extension .txt'),
    place: oneOf('olddir old', 'olddir new\ncreateolddir 0750 root root', 'olddir old'),
    empty: maybe('notifempty'),
    missing: maybe('missingok'),
    sizes: oneOf('minsize 3', 'maxsize 3', 'minsize 1k', 'maxsize 1M'),
    ages: oneOf('maxage 5', 'minage 2', 'maxage 40'),
    shared: maybe('sharedscripts'),
    pre: maybe('prerotate\necho pre $(basename -a $1) >> @/scripts\nendscript'),
    post: maybe('postrotate\necho "post $(basename "$2")" >> @/scripts\nendscript'),
    first: maybe('firstaction\necho first >> @/scripts\nendscript'),
    last: maybe('lastaction\necho last >> @/scripts\nendscript'),
    remove: maybe('preremove\necho "remove $(basename "$1")" >> @/scripts\nendscript'),
  })
  .map(({ pattern, ...lines }) => `${pattern} {\n${Object.values(lines).filter(Boolean).join('\n')}\n}\n`)

const file = (text: string) =>
  fc.record({
    text: fc.constant(text),
    mode: fc.constantFrom(0o644, 0o600),
    ageDays: fc.constantFrom(0, 3, 10),
  })

/**
 * Where 3.21 is known to be wrong: `rotate -1` from another start than 1 loses a log or none moves on; without old
 * logs `compress` fails on a copy that was never made, and the newest of the dated ones stays.
 */
function isKnownDifference(config: string): boolean {
  const rotate = [...config.matchAll(/^rotate (.*)$/gm)].at(-1)?.[1] ?? '0'
  if (rotate === '-1' && /^start/m.test(config)) return true
  // When one log of a shared set is in error reeve touches none; 3.21 still compresses the earlier ones.
  if (/^sharedscripts/m.test(config) && /^delaycompress/m.test(config) && !/^missingok/m.test(config))
    return true
  return rotate === '0' && (/^dateext/m.test(config) || (/^compress$/m.test(config) && /^copy/m.test(config)))
}

export const cases: fc.Arbitrary<Case> = fc.record({
  files: fc
    .record(
      {
        'a.log': fc.oneof(file('one\n'), file('')),
        'b.log': file('two\n'),
        'a b.log': file('three\n'),
        'a.log.1': file('old 1\n'),
        'a.log.2': file('old 2\n'),
        'a.log.1.gz': file('old 1 packed\n'),
        'a.log.2.gz': file('old 2 packed\n'),
        'b.log.1': file('old b\n'),
        [`a.log-${stamp(3)}`]: file('dated 3\n'),
        [`a.log-${stamp(7)}`]: file('dated 7\n'),
        [`a.log-${stamp(5)}.gz`]: file('dated 5\n'),
        [`old/a.log-${stamp(4)}`]: file('dated 4\n'),
        'old/a.log.1': file('old old\n'),
      },
      { requiredKeys: ['a.log', 'b.log'] },
    )
    .map((files) => JSON.parse(JSON.stringify(files))),
  directories: fc.constant(['old']),
  config: fc
    .tuple(oneOf('compress', 'daily', 'rotate 2', 'create', 'dateext'), block)
    .map(([first, second]) => `${first}\n${second}`)
    .filter((config) => !isKnownDifference(config)),
  state: fc
    .constantFrom(0, 1, 2, 6, 8, 40, 400, undefined)
    .map((days) => (days === undefined ? undefined : stateOf(days)))
    .map((text) => text ?? 'logrotate state -- version 2\n'),
  runs: fc.constantFrom([[]], [['-f']], [['-f'], ['-f']], [[], ['-f'], []]),
})

function stateOf(daysAgo: number): string {
  const at = new Date(Date.now() - daysAgo * 86_400_000)
  const date = `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`
  return `logrotate state -- version 2\n"@/a.log" ${date}-5:6:7\n"@/b.log" ${date}-5:6:7\n`
}
