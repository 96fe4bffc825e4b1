import type { Settings } from './files/settings.ts'
import type { WrittenUnit } from './files/unit-tree.ts'

/** A unit that the configuration means, with what is known of it. */
export interface Unit {
  name: string
  /** Undefined: the manager of the system. */
  owner: { name: string; home: string } | undefined
  written: WrittenUnit
  settings: Settings
  /** "loaded", "not-found", "masked", "bad-setting", "error". */
  load: string
  /** Why the manager did not load it. */
  loadError: string | undefined
  /** Undefined: no manager runs that could say it. */
  running: Running | undefined
  /** As `systemctl is-enabled`. */
  enablement: string
}

export interface Running {
  /** "active", "inactive", "failed", "activating", … */
  state: string
  /** 0: none. */
  mainPid: number
  /** When its process was started, else when it became active, UTC milliseconds. */
  startedMs: number | undefined
  /** When its state changed last: a reload changes it, too. */
  changedMs: number | undefined
}

/** Name for the reader, and the subject of findings. */
export function titleOf({ name, owner }: Pick<Unit, 'name' | 'owner'>): string {
  return owner ? `${owner.name}: ${name}` : name
}

/** `systemctl` for its manager, as root or its owner. */
export function systemctlFor({ owner }: Pick<Unit, 'owner'>): string {
  return owner ? `systemctl --user --machine=${owner.name}@.host` : 'systemctl'
}

/** The command that shows what a unit said last. */
export function journalFor({ name, owner }: Pick<Unit, 'name' | 'owner'>): string {
  return owner ? `journalctl _SYSTEMD_USER_UNIT='${name}' -n 50` : `journalctl -u '${name}' -n 50`
}

/** The commands that add lines to a section of a unit and make them count. */
export function editUnit(unit: Pick<Unit, 'name' | 'owner'>, lines: string, section = 'Service'): string {
  const { name, owner } = unit
  const directory = owner ? `${owner.home}/.config/systemd/user/${name}.d` : `/etc/systemd/system/${name}.d`
  const act = systemctlFor(unit)
  return [
    `mkdir -p '${directory}'`,
    `cat >> '${directory}/zz-hardening.conf' <<'END'`,
    `[${section}]`,
    lines,
    'END',
    `${act} daemon-reload && ${act} restart '${name}'`,
  ].join('\n')
}
