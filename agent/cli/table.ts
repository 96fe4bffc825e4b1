import type { Catalog } from './command.ts'

/** Every command, in the order of the help. Loaded when used: `reeve version` needs none of the rest. */
export const commands: Catalog = {
  status: {
    summary: 'How this host is: each job with its state',
    load: async () => (await import('./status.ts')).status,
  },
  findings: {
    summary: 'What is wrong, with what to do about it',
    load: async () => (await import('./findings.ts')).findings,
  },
  acknowledge: {
    summary: 'Say that somebody is on a finding',
    load: async () => (await import('./silence.ts')).acknowledge,
  },
  silence: {
    summary: 'Keep findings from raising alerts for a time',
    load: async () => (await import('./silence.ts')).silence,
  },
  run: { summary: 'Run jobs now', load: async () => (await import('./run.ts')).run },
  check: { summary: 'Run jobs now, looking only', load: async () => (await import('./run.ts')).check },
  audit: {
    summary: 'Run the jobs of a checklist and judge every item',
    load: async () => (await import('./audit.ts')).audit,
  },
  repair: {
    summary: 'Put right what a job finds; take a repair back',
    load: async () => (await import('./repair.ts')).repair,
  },
  report: {
    summary: 'A report as text, HTML, Markdown, JSON, SARIF, JUnit or OCSF',
    load: async () => (await import('./report.ts')).report,
  },
  runs: { summary: 'Runs of the past', load: async () => (await import('./runs.ts')).runs },
  jobs: {
    summary: 'Jobs with their schedule and permissions',
    load: async () => (await import('./jobs.ts')).jobs,
  },
  facts: {
    summary: 'Inventory: credentials, backups, logs',
    load: async () => (await import('./facts.ts')).facts,
  },
  credentials: {
    summary: 'Tokens, keys and certificates by what is due; rotate, discover, compromised',
    load: async (rest, plugins) => (await import('./credentials.ts')).credentials(rest, plugins),
  },
  attest: {
    summary: 'Say, with a note and evidence, that something was done which no machine can see',
    load: async (_rest, plugins) => (await import('./attest.ts')).attest(plugins),
  },
  alerts: {
    summary: 'Alerts on their way; test and replay',
    load: async () => (await import('./alerts.ts')).alerts,
  },
  plugins: {
    summary: 'Plugins, their rules and settings',
    load: async () => (await import('./plugins.ts')).plugins,
  },
  token: {
    summary: 'API tokens: new, list, rotate, revoke',
    load: async () => (await import('./token.ts')).token,
  },
  config: {
    summary: 'Check and show the configuration; schema, units',
    load: async () => (await import('./config.ts')).config,
  },
  doctor: {
    summary: 'Whether reeve itself can do its work here',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  init: { summary: 'Write a first configuration', load: async () => (await import('./init.ts')).init },
  daemon: {
    summary: 'Run the scheduler and the status API',
    load: async () => (await import('./daemon.ts')).daemon,
  },
  reload: {
    summary: 'Make the daemon read its configuration anew',
    load: async () => (await import('./reload.ts')).reload,
  },
  completion: {
    summary: 'Completions for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completion,
  },
  version: {
    summary: 'Version of reeve and of what it is built of',
    load: async () => (await import('./version.ts')).version,
  },
}
