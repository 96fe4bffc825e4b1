import type { ContainerSettings } from '../settings.ts'
import type { Fault, Judgement } from './fault.ts'

/** What a container may use up, and what it may change in itself. */
export const LIMITS: Judgement[] = [
  {
    rule: 'writable-root',
    aspects: ['readOnly'],
    ofAbsence: true,
    judge: ({ readOnly }) =>
      readOnly
        ? []
        : [
            {
              severity: 'info',
              says: 'can change its own programs: its root file system is writable',
              flag: '--read-only --tmpfs /tmp:noexec,nosuid,size=64m',
              key: 'read_only: true, and volumes for what it writes',
            },
          ],
  },
  {
    rule: 'temporary-files',
    aspects: ['tmpfs', 'readOnly'],
    ofAbsence: true,
    judge: (settings) => judgeTmpfs(settings),
  },
  {
    rule: 'memory-unlimited',
    aspects: ['memory'],
    ofAbsence: true,
    judge: (settings) =>
      settings.memoryBytes > 0
        ? []
        : [
            {
              severity: 'warning',
              says: 'may take all memory of the host',
              flag: '--memory 512m --memory-swap 1g',
              key: 'mem_limit: 512m',
              live: 'update --memory 512m --memory-swap 1g',
            },
          ],
  },
  {
    rule: 'cpu-unlimited',
    aspects: ['cpu'],
    ofAbsence: true,
    judge: ({ hasCpuLimit }) =>
      hasCpuLimit
        ? []
        : [
            {
              severity: 'info',
              says: 'may take all processors of the host',
              flag: '--cpus 0.5',
              key: 'cpus: 0.5',
              live: 'update --cpus 0.5',
            },
          ],
  },
  {
    rule: 'pids-unlimited',
    aspects: ['pids'],
    ofAbsence: true,
    judge: ({ hasPidsLimit }) =>
      hasPidsLimit
        ? []
        : [
            {
              severity: 'info',
              says: 'may start processes until the host has no more room for any',
              flag: '--pids-limit 200',
              key: 'pids_limit: 200',
              live: 'update --pids-limit 200',
            },
          ],
  },
]

function judgeTmpfs({ tmpfs, readOnly }: ContainerSettings): Fault[] {
  const fix = { flag: '--tmpfs /tmp:noexec,nosuid,size=64m', key: 'tmpfs: ["/tmp:noexec,nosuid,size=64m"]' }
  if (!tmpfs.some(({ target }) => target === '/tmp') && !readOnly) {
    return [{ ...fix, severity: 'info', says: 'keeps temporary files where programs can be put and run' }]
  }
  return tmpfs.flatMap(({ target, options, at }): Fault[] => {
    const missing = ['noexec', 'nosuid'].filter((one) => !options.includes(one))
    if (!options.some((option) => /^size=/.test(option))) missing.push('size')
    return missing.length === 0
      ? []
      : [
          {
            ...fix,
            severity: 'info',
            at,
            says: `has a tmpfs on ${target} without ${missing.join(', ')}`,
            part: target,
          },
        ]
  })
}
