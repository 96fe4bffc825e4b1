import { ANY_ARGUMENTS, JOURNALD_FILES, type Permissions } from '../../agent/contract/mod.ts'
import { type Config, directoryOf, listBaseOf } from './config.ts'
import { PROGRAMS } from './format.ts'
import { JOURNAL } from './oversight/journal.ts'
import { policiesFor } from './oversight/retention-policy.ts'

/** In a directory of another user: to look, to read the log, to see who writes, to create its successor. */
const OTHER_USERS = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_LEASE']
/** To become root, as whom logrotate and its scripts run, and the user whom `su` names. */
const BECOME_OTHERS = ['CAP_SETGID', 'CAP_SETUID']

type Phases = { check: Omit<Permissions, 'write'>; apply: Permissions }

/** What a job may touch: of its sets, and of the configurations of logrotate that it follows. */
export function permissions(config: Config): Phases {
  const parts = [
    ofSets(config),
    ...(config.logrotate.length > 0 ? [ofAdopted(config)] : []),
    ofOversight(config),
  ]
  return {
    check: merge(parts.map(({ check }) => check)),
    apply: merge(parts.map(({ apply }) => apply)),
  }
}

function ofSets(config: Config): Phases {
  const { sets } = config
  const paths = sets.flatMap((set) => set.paths)
  const list = paths.map(listBaseOf)
  const programs = sets.flatMap(({ afterRotate, afterRotatePermissions }) =>
    afterRotate ? [{ argv: afterRotate, needs: afterRotatePermissions ?? {} }] : [],
  )
  const needed = <K extends 'list' | 'read' | 'write' | 'net' | 'env' | 'capabilities'>(key: K) =>
    programs.flatMap(({ needs }) => needs[key] ?? [])
  return {
    check: { list, capabilities: ['CAP_DAC_READ_SEARCH'] },
    apply: {
      list: [...list, ...needed('list')],
      read: needed('read'),
      write: [...paths.map(directoryOf), ...needed('write')],
      net: needed('net'),
      run: [...programs.map(({ argv }) => argv), ...compressors(config)],
      env: needed('env'),
      writers: paths.map(listBaseOf),
      capabilities: [...OTHER_USERS, ...needed('capabilities')],
    },
  }
}

/** To compress, and to read back what was compressed. */
function compressors({ sets }: Config): [string, string][] {
  const formats = new Set(sets.map(({ compress }) => compress))
  return [...formats].flatMap((format) => (format === 'xz' || format === 'bzip2' ? PROGRAMS[format] : []))
}

/** These files can only be read in the jail, so what they lead to has to be said beside them. */
function ofAdopted(config: Config): Phases {
  const { logrotateDirectories: directories, logrotateScripts: scripts } = config
  const files = [...config.logrotate, ...config.logrotateIncludes]
  return {
    check: {
      list: directories,
      read: [...files, config.logrotateState, ...SCHEDULES],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
    apply: {
      list: directories,
      read: [...files, ...scripts.read],
      write: [...directories, ...scripts.write],
      net: scripts.net,
      run: [
        ...scripts.run.map((program): [string, string] => [program, ANY_ARGUMENTS]),
        ...Object.values(PROGRAMS).flat(),
      ],
      env: scripts.env,
      writers: directories,
      capabilities: [...OTHER_USERS, ...BECOME_OTHERS, ...scripts.capabilities],
    },
  }
}

/** To look only: for logs that nobody rotates, for what logrotate itself does, and at the journal. */
function ofOversight({ unmanaged, logrotate, logrotateIncludes, retention }: Config): Phases {
  const list = unmanaged?.roots ?? []
  const others =
    unmanaged && logrotate.length === 0 ? [...unmanaged.logrotate, ...logrotateIncludes, ...SCHEDULES] : []
  const journal = policiesFor(retention, JOURNAL).length > 0
  return {
    check: {
      ...(list.length > 0 || journal ? { list: [...list, ...(journal ? [JOURNAL] : [])] } : {}),
      ...(others.length > 0 || journal ? { read: [...others, ...(journal ? JOURNALD_FILES : [])] } : {}),
    },
    apply: {},
  }
}

/** Where it stands whether logrotate itself still runs. */
const SCHEDULES = ['/etc/cron.d', '/etc/crontab']

function merge(all: Permissions[]): Permissions {
  const joined = <K extends 'list' | 'read' | 'write' | 'net' | 'env' | 'writers' | 'capabilities'>(
    key: K,
  ) => {
    const entries = [...new Set(all.flatMap((one) => one[key] ?? []))]
    return all.some((one) => one[key]) ? { [key]: entries } : {}
  }
  const run = all.flatMap((one) => one.run ?? [])
  return {
    ...joined('list'),
    ...joined('read'),
    ...joined('write'),
    ...joined('net'),
    ...(all.some((one) => one.run) && { run }),
    ...joined('env'),
    ...joined('writers'),
    ...joined('capabilities'),
  }
}
