import { absolutePath, byteSize, secretReference, z } from '../../agent/contract/mod.ts'

const paths = z.array(absolutePath)

/** What the distribution ships, or what holds secrets by its nature and is private. */
const DEFAULT_EXCLUDE = [
  // Words that look like settings: databases of names, certificates of authorities, fonts, keys of packages.
  '/etc/{alternatives,ca-certificates,fonts,ssl/certs,java-*-openjdk,apt/trusted.gpg.d,dictionaries-common}/**',
  '/etc/{nsswitch.conf,services,protocols,mime.types,ethertypes}',
  // Password hashes.
  '/etc/{passwd,group,shadow,gshadow}{,-}',
  // Keys that the package of Chromium publishes.
  '/etc/chromium*/apikeys',
  // The repository of etckeeper.
  '/etc/.git/**',
]

const requirement = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'wanted the name of a variable')
    .describe('Name of the variable'),
  files: paths
    .default([])
    .describe('Environment files in which it may stand, or patterns; one of them must have it'),
  unit: absolutePath
    .optional()
    .describe('Unit file whose `EnvironmentFile=` and `Environment=` may have it, beside `files`'),
  minimumLength: z.int().min(1).max(4096).default(32).describe('Characters that it must have at least'),
  pattern: z
    .enum(['any', 'hex', 'base64', 'list'])
    .default('any')
    .describe(
      'What it is made of: `hex` is an even number of hex digits; `list` names without wildcards, of any length',
    ),
  optional: z.boolean().default(false).describe('It may be missing, but where it stands it must be right'),
})

const git = z.strictObject({
  untracked: z
    .array(z.string().min(1))
    .default(['.env', '.env.*', '*.env', 'config.yaml', '*.key', 'id_rsa', 'id_ed25519', '.git-credentials'])
    .describe('Patterns of file names or of paths in the repository that must not be tracked'),
  ignored: z
    .array(z.string().min(1))
    .default(['.env'])
    .describe(
      'Paths in the repository that must be ignored by its own .gitignore, whether or not they are there',
    ),
  dockerignored: z
    .array(z.string().min(1))
    .default(['.env'])
    .describe('Paths that must be in .dockerignore where there is a Dockerfile'),
  samples: z
    .array(z.string().min(1))
    .default(['*.example', '*.sample', '*.dist', '*.template', '.env.example', 'config.yaml.example'])
    .describe('Patterns of files that may be tracked all the same, and hold placeholders'),
  wanted: z
    .array(z.string().min(1))
    .default([])
    .describe('Paths in the repository that must be tracked, such as config.yaml.example'),
  commits: z
    .int()
    .min(0)
    .max(100_000)
    .default(200)
    .describe('How many of the latest commits of all branches are searched'),
  historyBytes: byteSize.prefault('64M').describe('How much of these commits is searched at most'),
  hook: z
    .boolean()
    .default(false)
    .describe('Whether the repository must have a hook that runs before a commit or push'),
})

export const configSchema = z.strictObject({
  files: paths
    .default(['/etc/**'])
    .describe(
      'Configuration files, or patterns, in which secrets as text are looked for; an empty list switches it off',
    ),
  exclude: paths.default(DEFAULT_EXCLUDE).describe('Paths or patterns that are left out of everything'),
  privateFiles: z
    .enum(['finding', 'ok'])
    .default('finding')
    .describe(
      'What it is when a file that others cannot read holds a secret as text: `ok` for what its program wants so',
    ),
  names: z
    .array(
      z
        .string()
        .regex(/[A-Za-z0-9]{3}/, 'wanted a name with three letters in a row')
        .max(80),
    )
    .default([])
    .describe('Further names of settings that hold secrets; case, `-` and `_` do not count'),
  allowed: z
    .array(z.string().regex(/^[0-9a-f]{8,64}$/, 'wanted the first 8 or more hex digits of a SHA-256'))
    .default([])
    .describe('Values that are no secrets, by the first hex digits of their SHA-256, as findings show it'),
  entropy: z
    .enum(['off', 'warning'])
    .default('off')
    .describe('Whether values of other settings that look random are findings, too'),
  known: z
    .array(secretReference)
    .default([])
    .describe('Secrets of which the very values must stand in no log, shell history or argument'),
  maxFileBytes: byteSize
    .prefault('32M')
    .describe('Larger files than this, logs aside, are not searched, and that is told'),
  maxBytes: byteSize.prefault('8G').describe('How much is searched in a run at most; what is left is told'),
  logs: paths
    .default(['/var/log/**'])
    .describe('Logs, or patterns; compressed and binary ones are not searched, and counted'),
  logBytes: byteSize.prefault('16M').describe('How much of each log is searched, from its end'),
  journal: z
    .array(z.string().regex(/^[A-Za-z0-9:_.@-]+$/, 'wanted the name of a unit'))
    .default([])
    .describe('Units of which the latest lines of the journal are searched'),
  units: paths
    .default([
      '/etc/systemd/{system,user}/**',
      '/run/systemd/{system,user}/**',
      '/usr/local/lib/systemd/**',
      '/{root,home/*}/.config/systemd/user/**',
    ])
    .describe('Unit files and their drop-ins, or patterns'),
  scheduled: paths
    .default([
      '/etc/{crontab,anacrontab}',
      '/etc/cron.*/**',
      '/var/spool/cron/**',
      '/usr/local/{bin,sbin}/**',
    ])
    .describe('Files of cron and scripts, or patterns'),
  jobs: paths
    .default([])
    .describe(
      'Job files in the form of INI of which `command =` is judged like a scheduled command, such as /etc/ofelia/config.ini',
    ),
  commands: z
    .enum(['dangerous', 'strict'])
    .default('dangerous')
    .describe(
      'Which commands of `jobs` are findings: those that hurt, or all that a scheduler should not run: shells, downloads, sudo',
    ),
  environmentFiles: paths
    .default(['/{root,home/*}/.config/*/env', '/{opt,srv,var/www}/*/.env'])
    .describe(
      'Environment files, or patterns, beside those that units name: their form, who may read them, whether a repository has them',
    ),
  required: z.array(requirement).default([]).describe('Variables that a service cannot do without'),
  processes: z
    .boolean()
    .default(true)
    .describe('Look at the command lines of running processes, which everybody can see'),
  histories: paths
    .default(['/{root,home/*}/.{bash,zsh,sh,ash,psql,mysql,sqlite,python,rediscli}_history'])
    .describe('Histories of shells and of programs like them, or patterns'),
  credentialFiles: paths
    .default([
      '/{root,home/*}/.{git-credentials,netrc,pgpass,my.cnf,npmrc,pypirc,s3cfg,boto}',
      '/{root,home/*}/{.docker/config.json,.aws/credentials,.config/rclone/rclone.conf,.kube/config}',
    ])
    .describe('Files in which programs keep credentials, or patterns: nobody else may read them'),
  repositories: paths
    .default([])
    .describe(
      'Directories of git repositories, or patterns: what is tracked, staged, ignored, and what was committed',
    ),
  git: git.prefault({}).describe('What is wanted of these repositories'),
  personalData: paths
    .default([])
    .describe('Files in which numbers of payment cards are looked for, or patterns'),
  nationalIds: z
    .boolean()
    .default(false)
    .describe('With `personalData`: numbers in the form of social security numbers, too'),
})

export type Config = z.output<typeof configSchema>
export type Requirement = Config['required'][number]
