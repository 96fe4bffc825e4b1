import { describe, expect, test } from 'bun:test'
import { config } from '../../../plugins/permission-drift/config.ts'
import { permissions } from '../../../plugins/permission-drift/permissions.ts'

const problems = (value: unknown) =>
  (config.safeParse(value).error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`)

describe('config', () => {
  test.each([
    [{}, ': wanted at least one of `presets`, `rules`, `trees` and `inventories`'],
    [{ rules: [{ path: 'etc' }] }, 'rules.0.path: wanted an absolute path'],
    [{ rules: [{ path: '/a/../b' }] }, 'rules.0.path: wanted an absolute path'],
    [{ rules: [{ path: '/a', mode: 640 }] }, 'rules.0.mode: wanted a mode in octal and in quotes ("0640")'],
    [{ rules: [{ path: '/a', mode: '0888' }] }, 'rules.0.mode: wanted a mode in octal'],
    [{ rules: [{ path: '/a', mode: { exact: '0640', atMost: '0640' } }] }, 'rules.0.mode: wanted a mode'],
    [{ rules: [{ path: '/a', type: 'dir' }] }, 'rules.0.type: wanted one of file, directory'],
    [{ rules: [{ path: '/a', owner: [] }] }, 'rules.0.owner: Too small'],
    [
      { rules: [{ path: '/a', noMatch: 'ok' }] },
      'rules.0.noMatch: this is a path without wildcards: wanted `missing`',
    ],
    [{ rules: [{ path: '/*', missing: 'ok' }] }, 'rules.0.missing: this is a pattern: wanted `noMatch`'],
    [{ trees: [{ path: '/usr/*' }] }, 'trees.0.path: wanted a directory without wildcards'],
    [{ trees: [{ path: '/usr' }, { path: '/usr' }] }, 'trees.1.path: "/usr" is there twice'],
    [
      { trees: [{ path: '/usr', exclude: ['*.swp'] }] },
      'trees.0.exclude.0: wanted a path or pattern that begins',
    ],
    [{ trees: [{ path: '/usr', attributes: ['colour'] }] }, 'trees.0.attributes.0: Invalid option'],
    [{ trees: [{ path: '/usr' }], surprise: 1 }, ': Unrecognized key: "surprise"'],
  ])('refuses %j', (value, problem) => {
    expect(problems(value).join('\n')).toContain(problem)
  })

  test('config fills in what is left out', () => {
    const parsed = config.parse({
      rules: [{ path: '/a', mode: '0640', owner: 0 }],
      trees: [{ path: '/usr' }],
    })
    expect(parsed as unknown).toEqual({
      maxFindings: 500,
      explain: {
        packages: ['dpkg'],
        reeve: true,
        tmpfiles: true,
        certificates: [
          '/etc/letsencrypt/live/*/fullchain.pem',
          '/root/.acme.sh/*/fullchain.cer',
          '/etc/lego/certificates/*.crt',
        ],
      },
      windows: [],
      pace: { priority: 'idle', maxMemoryPressure: 20, maxIoPressure: 60, maxPause: 120_000 },
      presets: [],
      rules: [
        { path: '/a', except: [], owner: ['0'], mode: { kind: 'exact', bits: 0o640, mayWiden: false } },
      ],
      trees: [
        {
          path: '/usr',
          attributes: ['mode', 'owner', 'group'],
          rehash: 604_800_000,
          exclude: [],
          oneFileSystem: true,
          repair: false,
          severity: 'warning',
        },
      ],
    })
  })
})

describe('permissions()', () => {
  const of = (value: Parameters<typeof config.parse>[0]) => permissions(config.parse(value))

  test('permissions() lists only where patterns and trees begin, and reads only trees whose content is compared', () => {
    const { check } = of({
      rules: [
        { path: '/etc/shadow' },
        { path: '/home/*/.ssh/*' },
        { path: '/srv/{a,b/*}' },
        { path: '/home/x/*' },
      ],
      trees: [{ path: '/usr' }, { path: '/opt', attributes: ['content'] }],
      explain: { packages: [], certificates: [], tmpfiles: false },
    })
    expect(check).toEqual({
      list: ['/home', '/srv/b', '/usr'],
      read: ['/opt', '/proc/pressure'],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    })
  })

  test('permissions() reads the evidence of causes, and no program unless rpm is asked', () => {
    const { check } = of({ trees: [{ path: '/usr' }] })
    expect(check.read).toEqual([
      '/etc/tmpfiles.d',
      '/proc/pressure',
      '/run/tmpfiles.d',
      '/usr',
      '/var/lib/dpkg',
      '/var/log/dpkg.log',
      '/var/log/dpkg.log.1',
    ])
    expect([check.list, check.run]).toEqual([[], undefined])
    const rpm = of({ trees: [{ path: '/usr' }], explain: { packages: ['rpm'] } }).check
    expect(rpm.read).toContain('/var/lib/rpm')
    expect(rpm.run?.map(([program]) => program)).toEqual(['/usr/bin/rpm'])
  })

  test('permissions() changes attributes of what rules speak of and of trees that are repaired, and writes nothing', () => {
    const { apply } = of({
      rules: [{ path: '/etc/shadow' }, { path: '/home/*/.ssh/*' }],
      trees: [{ path: '/usr' }, { path: '/opt', repair: true }],
    })
    expect(apply.attributes).toEqual(['/etc/shadow', '/home', '/opt'])
    expect(apply.write).toBeUndefined()
    expect(apply.read).toEqual(['/proc/pressure'])
    expect(apply.capabilities).toEqual(['CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_CHOWN', 'CAP_FSETID'])
  })
})
