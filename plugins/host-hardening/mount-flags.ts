import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import type { Area } from './area.ts'
import type { Config } from './config.ts'
import { hostMounts } from './encryption.ts'
import { realPath } from './host-files.ts'
import { type Mount, mountOf } from './mount-table.ts'

export const mountFlags: Area = {
  subject: 'mounts',
  rules: ['mount-flag-missing', 'not-own-mount'],
  check(look) {
    const { host, config } = look
    const mounts = hostMounts(look)
    const wanted = config.mounts.flatMap((one) => {
      const real = realPath(host, one.path)
      return real === undefined ? [] : [{ ...one, real }]
    })
    const isOwn = wanted.some(({ real }) => mountOf(mounts, real)?.path === real)
    return {
      findings: wanted.flatMap((one) => judgeMount(one, mountOf(mounts, one.real))),
      inapplicable: [
        ...(isOwn
          ? []
          : [{ rule: 'mount-flag-missing', reason: 'none of the directories is a mount of its own' }]),
        ...(wanted.some(({ separate }) => separate)
          ? []
          : [{ rule: 'not-own-mount', reason: 'no directory has to be a mount of its own' }]),
      ],
      examined: wanted.length,
    }
  },
}

/** Pure: what is wrong with the mount of a directory. */
export function judgeMount(
  { path, real, flags, separate }: Config['mounts'][number] & { real: string },
  mount: Mount | undefined,
): Finding[] {
  if (mount?.path !== real) {
    if (!separate) return []
    return [
      {
        rule: 'not-own-mount',
        subject: path,
        severity: 'warning',
        summary: `${path} is no mount of its own: it has the flags of ${mount?.path ?? '/'}, and can fill it`,
        remedy:
          path === '/tmp'
            ? 'cp /usr/share/systemd/tmp.mount /etc/systemd/system/ && systemctl daemon-reload && systemctl enable tmp.mount\nRestart the host then: what lies in /tmp now would be hidden'
            : `echo 'tmpfs ${path} tmpfs ${['defaults', ...flags, 'size=1G'].join(',')} 0 0' >> /etc/fstab && mount ${shellWord(path)}`,
        evidence: { mount: mount?.path ?? null },
        references: ['CIS-1.1.2'],
      },
    ]
  }
  const missing = flags.filter((flag) => !mount.flags.includes(flag))
  if (missing.length === 0) return []
  return [
    {
      rule: 'mount-flag-missing',
      subject: path,
      severity: 'warning',
      summary: `${path} is mounted without ${missing.join(', ')} (${mount.type}, ${mount.flags.join(',')})`,
      remedy: `mount -o remount,${[...new Set([...mount.flags.filter((flag) => flags.some((known) => known === flag)), ...missing])].join(',')} ${shellWord(real)}\nThe same flags belong into its line of /etc/fstab, or its mount unit, for the next start`,
      evidence: { flags: mount.flags.join(','), missing: missing.join(','), type: mount.type },
      references: ['CIS-1.1.2'],
    },
  ]
}
