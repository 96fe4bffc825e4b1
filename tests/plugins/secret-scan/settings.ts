/** Every source switched off: a test switches on what it is about. */
export const NOTHING = {
  files: [],
  logs: [],
  units: [],
  scheduled: [],
  environmentFiles: [],
  histories: [],
  credentialFiles: [],
  processes: false,
}
