import { expect, setDefaultTimeout } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { z } from 'zod'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { splitWords } from '../../../plugins/systemd-units/files/parse-unit.ts'
import { settingsOf } from '../../../plugins/systemd-units/files/settings.ts'
import { SYSTEM_DIRECTORIES, UnitTree } from '../../../plugins/systemd-units/files/unit-tree.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

// What the reader of unit files makes of them, against systemd's own programs on the same tree.

setDefaultTimeout(60_000)

const version = Number(
  /\d+/.exec(
    Bun.which('systemd-analyze') ? Bun.spawnSync(['systemd-analyze', '--version']).stdout.toString() : '',
  )?.[0] ?? 0,
)
const test = testWith({
  programs: ['systemd-analyze', 'systemctl'],
  reason: version < 250 ? 'needs a systemd-analyze that judges files (250)' : undefined,
})

const items = z.array(z.object({ set: z.boolean().nullable(), json_field: z.string() }))

/** What systemd-analyze says of each unit below a root directory: which of its points are met. */
function judgedBySystemd(root: string, units: string[]): Map<string, boolean | null>[] {
  const { stdout, stderr } = Bun.spawnSync(
    [
      'systemd-analyze',
      'security',
      '--offline=true',
      `--root=${root}`,
      '--json=short',
      '--no-pager',
      ...units,
    ],
    { env: { PATH: process.env.PATH ?? '' } },
  )
  const lines = stdout
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('['))
  if (lines.length !== units.length)
    throw new Error(`${lines.length} answers for ${units.length} units: ${stderr.toString().slice(-500)}`)
  return lines.map(
    (line) => new Map(items.parse(JSON.parse(line)).map(({ json_field, set }) => [json_field, set])),
  )
}

const BOOLEANS = [
  'NoNewPrivileges',
  'PrivateTmp',
  'PrivateDevices',
  'PrivateNetwork',
  'ProtectClock',
  'ProtectControlGroups',
  'ProtectHostname',
  'ProtectKernelLogs',
  'ProtectKernelModules',
  'ProtectKernelTunables',
  'MemoryDenyWriteExecute',
  'LockPersonality',
  'RestrictRealtime',
  'RestrictSUIDSGID',
]
const NAMESPACES = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  net: 'net',
  mnt: 'mnt',
  pid: 'pid',
  user: 'user',
  uts: 'uts',
}
const FAMILIES = ['AF_NETLINK', 'AF_UNIX', 'AF_PACKET']

const word = fc.constantFrom(
  'yes',
  'no',
  '1',
  'off',
  'TRUE',
  'f',
  'strict',
  'full',
  'read-only',
  'tmpfs',
  'perhaps',
  '',
)
const list = (...words: string[]) =>
  fc.tuple(fc.constantFrom('', '', '~'), fc.subarray(words)).map(([mark, chosen]) => mark + chosen.join(' '))
const directive = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...BOOLEANS, 'ProtectSystem', 'ProtectHome'), word)
      // A word of later versions.
      .filter(([key, value]) => key !== 'ProtectControlGroups' || value !== 'strict'),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant('RestrictNamespaces'), fc.oneof(word, list(...Object.keys(NAMESPACES)))),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('RestrictAddressFamilies'),
      fc.oneof(list('AF_INET', 'AF_INET6', ...FAMILIES), fc.constantFrom('none', '')),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('DynamicUser'), fc.constantFrom('yes', 'no')) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('User'), fc.constantFrom('daemon', 'root', '')) },
)
const file = fc.array(directive, { maxLength: 25 })
/** A unit and up to three drop-ins: of its own, of its prefix, of its type. */
const unit = fc.record({ own: file, dropIn: file, ofPrefix: file, ofType: file })

function textOf(directives: [string, string][]): string {
  return ['[Service]', ...directives.map(([key, value]) => `${key}=${value}`), ''].join('\n')
}

function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

const readTree = (root: string) => new UnitTree(new LocalHostReader(root, ALL_GRANTS), SYSTEM_DIRECTORIES)

test('settingsOf() comes to what systemd-analyze does, for units of any directives and drop-ins', () => {
  const samples = fc.sample(unit, {
    numRuns: Number(process.env.REEVE_UNIT_SAMPLES ?? 60),
    seed: Number(process.env.REEVE_SEED ?? 20261122),
  })
  using root = temporaryDirectory()
  const names = samples.map(({ own, dropIn, ofPrefix }, index) => {
    const name = `app${index}-x.service`
    write(root.path, `usr/lib/systemd/system/${name}`, `${textOf(own)}ExecStart=/bin/true\n`)
    write(root.path, `etc/systemd/system/${name}.d/50-own.conf`, textOf(dropIn))
    write(root.path, `usr/lib/systemd/system/app${index}-.service.d/40-prefix.conf`, textOf(ofPrefix))
    return name
  })
  write(root.path, 'etc/systemd/system/service.d/60-type.conf', textOf(samples[0]?.ofType.slice(0, 2) ?? []))
  const tree = readTree(root.path)
  const judged = judgedBySystemd(root.path, names)
  let compared = 0
  for (const [index, name] of names.entries()) {
    const points = judged[index] ?? new Map()
    const settings = settingsOf(name, tree.read(name).directives)
    const is = (key: string, value: string) => (settings.get(key)?.value || 'no') === value
    const allowed = settings.get('RestrictNamespaces')?.value ?? 'no'
    const families = settings.get('RestrictAddressFamilies')?.value ?? '~'
    const listed = splitWords(families.replace(/^~/, ''))
    const ours: Record<string, boolean> = {
      ...Object.fromEntries(BOOLEANS.map((key) => [key, is(key, 'yes')])),
      ProtectSystem: is('ProtectSystem', 'strict'),
      ProtectHome: is('ProtectHome', 'yes'),
      ...Object.fromEntries(
        Object.keys(NAMESPACES).map((type) => [
          `RestrictNamespaces_${type}`,
          allowed === 'yes' || (allowed !== 'no' && !splitWords(allowed).includes(type)),
        ]),
      ),
      ...Object.fromEntries(
        FAMILIES.map((family) => [
          `RestrictAddressFamilies_${family}`,
          families.startsWith('~') ? listed.includes(family) : !listed.includes(family),
        ]),
      ),
      // A user of the host by this name goes before one that is made.
      UserOrDynamicUser:
        (settings.get('User')?.value || (is('DynamicUser', 'yes') ? name : 'root')) !== 'root',
    }
    for (const [point, met] of Object.entries(ours)) {
      const theirs = points.get(point)
      if (theirs === undefined || theirs === null) continue
      compared++
      const text = tree.read(name).directives.map(({ key, value }) => `${key}=${value}`)
      expect({ name, point, met, text }).toEqual({ name, point, met: theirs, text })
    }
  }
  expect(compared).toBeGreaterThan(60 * 20)
})

test('UnitTree.read() says of each unit what systemctl is-enabled does', () => {
  using root = temporaryDirectory()
  const install = '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n'
  const [library, own] = ['usr/lib/systemd/system', 'etc/systemd/system']
  for (const name of ['on', 'off', 'aliased', 'hidden', 'runtime', 'tpl@', 'required'])
    write(root.path, `${library}/${name}.service`, install)
  write(root.path, `${library}/plain.service`, '[Service]\nExecStart=/bin/true\n')
  write(root.path, `${library}/aliased.service`, `${install}Alias=other.service\n`)
  write(root.path, `${own}/empty.service`, '')
  for (const directory of ['multi-user.target.wants', 'graphical.target.requires'])
    mkdirSync(join(root.path, own, directory), { recursive: true })
  mkdirSync(join(root.path, 'run/systemd/system/multi-user.target.wants'), { recursive: true })
  const link = (target: string, path: string) => symlinkSync(target, join(root.path, path))
  link('/usr/lib/systemd/system/on.service', `${own}/multi-user.target.wants/on.service`)
  link('/usr/lib/systemd/system/tpl@.service', `${own}/multi-user.target.wants/tpl@one.service`)
  link('/usr/lib/systemd/system/required.service', `${own}/graphical.target.requires/required.service`)
  link(
    '/usr/lib/systemd/system/runtime.service',
    'run/systemd/system/multi-user.target.wants/runtime.service',
  )
  link('/usr/lib/systemd/system/aliased.service', `${own}/other.service`)
  link('/dev/null', `${own}/hidden.service`)
  const names = [
    'on',
    'off',
    'aliased',
    'hidden',
    'empty',
    'runtime',
    'required',
    'plain',
    'tpl@one',
    'tpl@two',
  ].map((name) => `${name}.service`)
  const { stdout } = Bun.spawnSync(['systemctl', `--root=${root.path}`, 'is-enabled', ...names])
  const theirs = stdout.toString().trim().split('\n')
  const tree = readTree(root.path)
  expect(names.map((name) => `${name} ${tree.read(name).enablement}`)).toEqual(
    names.map((name, index) => `${name} ${theirs[index]}`),
  )
})
