/** What a service of the network can have of systemd.exec(5) to have less power. */
export const STANDARD_DIRECTIVES = [
  'NoNewPrivileges',
  'ProtectSystem',
  'ProtectHome',
  'PrivateTmp',
  'PrivateDevices',
  'ProtectKernelTunables',
  'ProtectKernelModules',
  'ProtectControlGroups',
  'RestrictAddressFamilies',
  'RestrictNamespaces',
  'RestrictRealtime',
  'RestrictSUIDSGID',
  'MemoryDenyWriteExecute',
  'LockPersonality',
] as const

/** Further ones, for who asks for them. */
export const FURTHER_DIRECTIVES = [
  'KeyringMode',
  'PrivateIPC',
  'PrivateMounts',
  'PrivateNetwork',
  'PrivateUsers',
  'ProcSubset',
  'ProtectClock',
  'ProtectHostname',
  'ProtectKernelLogs',
  'ProtectProc',
  'RemoveIPC',
  'SystemCallArchitectures',
  'UMask',
] as const
