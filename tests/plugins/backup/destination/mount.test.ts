import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../../agent/host/reader.ts'
import {
  MOUNT_TABLE,
  type Mount,
  mountOf,
  parseMounts,
  refuseMount,
} from '../../../../plugins/backup/destination/mount.ts'
import { testWith } from '../../../kit/needs.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { mountTmpfs, unmount, whyNoMount } from '../mount.ts'

const UUID = '3e6be9de-8139-4a1c-9106-a43f08d823a6'

// proc_pid_mountinfo(5); the fields before "-" vary in number.
const TABLE = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /dev rw - devtmpfs udev rw
40 22 8:17 / /srv/backup rw,relatime shared:9 master:2 - ext4 /dev/sdb1 rw
41 22 8:33 / /srv/my\\040disk rw - btrfs /dev/disk\\134one rw
no mount at all
`

test('parseMounts() takes places and devices, with their spaces', () => {
  expect(parseMounts(TABLE)).toEqual([
    { mountPoint: '/', source: '/dev/sda1' },
    { mountPoint: '/dev', source: 'udev' },
    { mountPoint: '/srv/backup', source: '/dev/sdb1' },
    { mountPoint: '/srv/my disk', source: '/dev/disk\\one' },
  ])
})

const mounts: Mount[] = [
  { mountPoint: '/', source: 'root' },
  { mountPoint: '/srv', source: 'srv' },
  { mountPoint: '/srv/backup', source: 'below' },
  { mountPoint: '/srv/backup', source: 'over it' },
]
test.each<[string, string]>([
  ['/', 'root'],
  ['/srvx', 'root'],
  ['/srv', 'srv'],
  ['/srv/backups', 'srv'],
  ['/srv/backup', 'over it'],
  ['/srv/backup/web1', 'over it'],
])('mountOf() finds what %s is on', (path, source) => {
  expect(mountOf(mounts, path)?.source).toBe(source)
})

test('mountOf() finds nothing where nothing is known', () => {
  expect(mountOf([], '/srv')).toBeUndefined()
})

let directory: ReturnType<typeof temporaryDirectory>
let root: string
beforeEach(() => {
  directory = temporaryDirectory('reeve-mount')
  root = realpathSync(directory.path)
  for (const path of ['dev/disk/by-uuid', 'proc/self', 'srv/backup'])
    mkdirSync(join(root, path), { recursive: true })
  writeFileSync(join(root, MOUNT_TABLE), TABLE)
  symlinkSync('../../sdb1', join(root, 'dev/disk/by-uuid', UUID))
})
afterEach(() => directory[Symbol.dispose]())

const refusal = (path: string) => refuseMount(new LocalHostReader(root, ALL_GRANTS), path, UUID)

test('refuseMount() lets the device pass that the table of mounts names', () => {
  expect(refusal('/srv/backup')).toBeUndefined()
})

test.each<[string, string, string]>([
  [
    'the disk is not mounted: the directory is on the one above',
    TABLE.replace(/^40.*\n/m, ''),
    'it is on /dev/sda1 (mounted at /)',
  ],
  [
    'another disk is mounted there',
    TABLE.replace('/dev/sdb1', '/dev/sdc1'),
    'it is on /dev/sdc1 (mounted at /srv/backup)',
  ],
  [
    'another one is mounted over it',
    `${TABLE}50 40 0:50 / /srv/backup rw - tmpfs tmpfs rw\n`,
    'it is on tmpfs (mounted at /srv/backup)',
  ],
  ['the table is empty', '', 'it is on something else'],
])('refuseMount() refuses where %s', (_what, table, reason) => {
  writeFileSync(join(root, MOUNT_TABLE), table)
  expect(refusal('/srv/backup')).toBe(`the file system ${UUID} is not mounted there: ${reason}`)
})

test('refuseMount() refuses where there is no disk with that file system', () => {
  const other = 'AB12-34CD'
  const refused = refuseMount(new LocalHostReader(root, ALL_GRANTS), '/srv/backup', other)
  expect(refused).toStartWith(`there is no disk with the file system ${other}`)
})

testWith({ programs: ['mknod'], root: true, reason: whyNoMount() })(
  'refuseMount() goes by the number of a device that is mounted, and refuses when it is gone',
  () => {
    const place = join(root, 'srv/backup')
    mountTmpfs(place)
    try {
      // Whatever the table calls it: a node with the number of what is mounted.
      const device = BigInt(statSync(place).dev)
      const [major, minor] = [(device >> 8n) & 0xfffn, (device & 0xffn) | ((device >> 12n) & 0xffffff00n)]
      const made = Bun.spawnSync(['mknod', join(root, 'dev/sdb1'), 'b', String(major), String(minor)])
      expect(made.stderr.toString()).toBe('')
      writeFileSync(join(root, MOUNT_TABLE), readFileSync(MOUNT_TABLE))
      expect(refusal('/srv/backup')).toBeUndefined()
      expect(refusal('/srv')).toContain('is not mounted there')
    } finally {
      unmount(place)
    }
    expect(refusal('/srv/backup')).toContain('is not mounted there')
  },
)
