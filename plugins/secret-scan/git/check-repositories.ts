import {
  describeError,
  type Entry,
  type Finding,
  globMatcher,
  shellWord,
} from '../../../agent/contract/mod.ts'
import { secretFindings, WORDS } from '../findings.ts'
import type { RuleName } from '../rules.ts'
import type { FileMatch } from '../scan-file.ts'
import type { Look } from '../scan-files.ts'
import type { TextKind } from '../scan-text.ts'
import { isDockerIgnored, judgeGitConfig } from './judge-repository.ts'
import { PatchReader } from './parse-patch.ts'
import { failureOf, GIT, Git, PLAIN_PATCH, type Repository } from './program.ts'

const REPOSITORY_RULES: RuleName[] = [
  'tracked-file',
  'not-ignored',
  'not-tracked',
  'secret-in-repository',
  'secret-staged',
  'secret-in-commit',
  'credentials-in-remote',
  'no-commit-hook',
]
const CODE =
  /\.(?:[cm]?[jt]sx?|py|go|rs|rb|java|kt|scala|cs|c|h|cc|cpp|hpp|php|pl|pm|lua|swift|md|txt|rst|adoc|html?|css|scss|svg|vue|svelte|sql|lock|po|pot|tf)$/i
const TRANSLATION = /(?:^|\/)(?:locales?|i18n|lang|translations?)\//i
/** Beyond so many of one repository nobody reads on. */
const MAX_COMMITTED = 500

/** Git repositories: what is tracked, staged, ignored, and what was committed. */
export async function checkRepositories(look: Look, environmentFiles: readonly string[]): Promise<void> {
  const { repositories } = look.context.config
  if (repositories.length === 0) return look.notHere(REPOSITORY_RULES, 'the job names no repositories')
  if (!look.context.config.git.hook) look.notHere(['no-commit-hook'], 'no hook is wanted')
  let count = 0
  for await (const batch of look.host.globAll([...repositories], {
    onBlind: (path, reason) => look.dark(path, reason, REPOSITORY_RULES),
    signal: look.context.signal,
  })) {
    for (const { entry } of batch) {
      if (entry.type !== 'directory') continue
      const repository = repositoryAt(look, entry.path)
      if (!repository) {
        // A pattern may mean other directories as well.
        if (repositories.includes(entry.path))
          look.dark(entry.path, 'it is no git repository', REPOSITORY_RULES)
        continue
      }
      count++
      if (!look.host.stat(GIT)) {
        look.dark(entry.path, `${GIT} is not installed`, REPOSITORY_RULES)
        continue
      }
      await checkRepository(look, repository, environmentFiles)
    }
  }
  for (const path of repositories) {
    if (!/[*?[{]/.test(path) && !look.host.stat(path))
      look.dark(path, 'there is no such directory', REPOSITORY_RULES)
  }
  if (count === 0 && !look.isDark('tracked-file'))
    look.notHere(REPOSITORY_RULES, 'there are no git repositories')
}

function repositoryAt(look: Look, path: string): Repository | undefined {
  if (look.host.stat(`${path}/.git`)) return { path, gitDirectory: `${path}/.git`, isBare: false }
  const isBare = ['HEAD', 'objects', 'refs'].every((name) => look.host.stat(`${path}/${name}`))
  return isBare ? { path, gitDirectory: path, isBare } : undefined
}

async function checkRepository(
  look: Look,
  repository: Repository,
  environmentFiles: readonly string[],
): Promise<void> {
  const git = new Git(look.host, repository, look.context.signal)
  const dark = (reason: string, ...rules: RuleName[]) => look.dark(repository.path, reason, rules)
  checkConfig(look, repository)
  try {
    if (!repository.isBare) {
      const listed = await git.run(['ls-files', '-z', '--cached'])
      const failure = failureOf(listed)
      if (failure) {
        dark(failure, 'tracked-file', 'not-tracked', 'secret-in-repository')
      } else {
        const tracked = listed.stdout.split('\0').filter((path) => path !== '')
        judgeTracked(look, repository, tracked)
        await searchTracked(look, repository, tracked)
        await checkIgnored(look, git, repository, new Set(tracked), environmentFiles)
      }
      await searchPatch(look, git, repository, 'secret-staged', ['diff', '--cached', ...PLAIN_PATCH])
    }
    await checkNames(look, git, repository)
    const { commits } = look.context.config.git
    if (commits > 0) {
      const log = [
        'log',
        '--all',
        `--max-count=${commits}`,
        '--format=%x00%H',
        '--no-notes',
        '--cc',
        ...PLAIN_PATCH,
      ]
      await searchPatch(look, git, repository, 'secret-in-commit', log)
    }
  } catch (error) {
    look.context.signal.throwIfAborted()
    dark(describeError(error), ...REPOSITORY_RULES)
  }
}

/** Its own settings: addresses of remotes, stored credentials, hooks. They are read, not asked of git. */
function checkConfig(look: Look, { path, gitDirectory, isBare }: Repository): void {
  const { hook } = look.context.config.git
  if (look.host.stat(gitDirectory)?.type !== 'directory') {
    // A work tree beside its repository, or a submodule: that has the settings.
    look.dark(path, `${gitDirectory} is no directory: name the repository that it points to`, [
      'credentials-in-remote',
      'no-commit-hook',
    ])
    return
  }
  const file = `${gitDirectory}/config`
  const text = look.text(file, ['credentials-in-remote', 'stored-credentials', 'no-commit-hook'])
  if (text === undefined) return
  const config = judgeGitConfig(text)
  for (const { line, key, what, sha256 } of config.secrets) {
    look.findings.push({
      rule: 'credentials-in-remote',
      subject: `${file}:${key}`,
      severity: 'critical',
      summary: `${file}:${line} has ${what}: ${key}`,
      remedy: `sudoedit +${line} ${shellWord(file)}\n# Take it out of the address, replace it, and use an SSH key: git remote set-url NAME git@HOST:PATH`,
      evidence: { path: file, line, key, sha256 },
    })
  }
  if (config.storesCredentials) {
    const { line } = config.storesCredentials
    look.findings.push({
      rule: 'stored-credentials',
      subject: `${file}:credential.helper`,
      severity: 'warning',
      summary: `${file}:${line} lets git keep passwords as text: credential.helper is store`,
      remedy: `git -C ${shellWord(path)} config --unset-all credential.helper`,
      evidence: { path: file, line },
    })
  }
  if (!hook || isBare) return
  const hooks = config.hooksPath?.startsWith('/')
    ? config.hooksPath
    : `${path}/${config.hooksPath ?? '.git/hooks'}`
  const isThere = ['pre-commit', 'pre-push'].some((name) => {
    const stat = look.host.statTarget(`${hooks}/${name}`)
    return stat?.type === 'file' && (stat.mode & 0o111) !== 0
  })
  if (isThere) return
  look.findings.push({
    rule: 'no-commit-hook',
    subject: `${path}:hook`,
    severity: 'info',
    summary: `Nothing looks at commits in ${path} before they are made or pushed`,
    remedy: `# A program that ends with another code than 0 when it finds a secret:\ninstall -m 0755 CHECK ${shellWord(`${hooks}/pre-commit`)}`,
    evidence: { path },
  })
}

/** Patterns of file names, or of paths where they have a "/". */
function nameMatcher(patterns: readonly string[]): (path: string) => boolean {
  const matches = globMatcher(
    patterns.flatMap((pattern) =>
      pattern.includes('/') ? [pattern, `${pattern}/**`] : [`**/${pattern}`, `**/${pattern}/**`],
    ),
  )
  return matches
}

function mustNotBeTracked(look: Look): (path: string) => boolean {
  const { untracked, samples } = look.context.config.git
  const [isUntracked, isSample] = [nameMatcher(untracked), nameMatcher(samples)]
  return (path) => isUntracked(path) && !isSample(path)
}

function judgeTracked(look: Look, { path: directory }: Repository, tracked: readonly string[]): void {
  const isWrong = mustNotBeTracked(look)
  for (const path of tracked.filter(isWrong)) {
    const word = shellWord(path)
    look.findings.push({
      rule: 'tracked-file',
      subject: `${directory}/${path}`,
      severity: 'critical',
      summary: `${directory} tracks ${path}: a commit takes along what it holds`,
      remedy: `cd ${shellWord(directory)}\ngit rm --cached -- ${word}\nprintf '%s\\n' ${shellWord(`/${path}`)} >> .gitignore\ngit add .gitignore && git commit -m 'Stop tracking ${path.replaceAll("'", '')}'\n# Replace the secrets in it: the history still has them`,
      evidence: { path: `${directory}/${path}` },
    })
  }
  const present = new Set(tracked)
  for (const path of look.context.config.git.wanted.filter((wanted) => !present.has(wanted))) {
    look.findings.push({
      rule: 'not-tracked',
      subject: `${directory}/${path}`,
      severity: 'info',
      summary: `${directory} does not track ${path}`,
      remedy: `cd ${shellWord(directory)} && git add -- ${shellWord(path)} && git commit -m 'Add ${path.replaceAll("'", '')}'`,
      evidence: { path: `${directory}/${path}` },
    })
  }
}

async function checkIgnored(
  look: Look,
  git: Git,
  { path: directory }: Repository,
  tracked: ReadonlySet<string>,
  environmentFiles: readonly string[],
): Promise<void> {
  const { ignored, dockerignored } = look.context.config.git
  const here = environmentFiles
    .filter((path) => path.startsWith(`${directory}/`))
    .map((path) => path.slice(directory.length + 1))
  const wanted = [...new Set([...ignored, ...here])].filter((path) => !tracked.has(path))
  if (wanted.length > 0) {
    const result = await git.run(['check-ignore', '-z', '--no-index', '--stdin'], {
      stdin: wanted.join('\0'),
    })
    const failure = failureOf(result, (code) => code === 0 || code === 1)
    if (failure) look.dark(directory, failure, ['not-ignored'])
    else {
      const isIgnored = new Set(result.stdout.split('\0'))
      const missing = wanted.filter((path) => !isIgnored.has(path))
      look.findings.push(...missing.map((path) => notIgnored(directory, path, '.gitignore')))
    }
  }
  const hasImage = ['Dockerfile', 'Containerfile'].some((name) => look.host.stat(`${directory}/${name}`))
  if (!hasImage || dockerignored.length === 0) return
  const file = `${directory}/.dockerignore`
  const text = look.host.stat(file) ? look.text(file, ['not-ignored']) : ''
  if (text === undefined) return
  const missing = dockerignored.filter((path) => !isDockerIgnored(text, path))
  look.findings.push(...missing.map((path) => notIgnored(directory, path, '.dockerignore')))
}

function notIgnored(directory: string, path: string, file: '.gitignore' | '.dockerignore'): Finding {
  const target = shellWord(`${directory}/${file}`)
  const line = shellWord(file === '.gitignore' ? `/${path}` : path)
  return {
    rule: 'not-ignored',
    subject: `${directory}/${path}:${file}`,
    severity: 'warning',
    summary: `${directory} does not ignore ${path}: ${file === '.gitignore' ? 'the next commit may take it along' : 'an image built there takes it along'}`,
    remedy: `printf '%s\\n' ${line} >> ${target}`,
    evidence: { path: `${directory}/${file}` },
  }
}

function kindInRepository(look: Look, path: string): TextKind {
  if (nameMatcher(look.context.config.git.samples)(path)) return 'sample'
  return CODE.test(path) || TRANSLATION.test(path) ? 'code' : 'config'
}

/** The tracked files as they lie in the work tree. */
async function searchTracked(
  look: Look,
  { path: directory }: Repository,
  tracked: readonly string[],
): Promise<void> {
  for (const name of tracked) {
    const path = `${directory}/${name}`
    const stat = look.host.stat(path)
    if (stat?.type !== 'file') continue
    const entry: Entry = { ...stat, path }
    const scan = await look.search(entry, 'repository', kindInRepository(look, name), [
      'secret-in-repository',
    ])
    if (scan && scan.matches.length > 0) {
      look.findings.push(...secretFindings(look.place(entry), withoutHashes(scan.matches), WORDS.repository))
    }
  }
}

function withoutHashes(matches: readonly FileMatch[]): FileMatch[] {
  return matches.filter(({ kind }) => kind !== 'known-hash')
}

/** Files that were committed once under a name that is made for secrets: of the whole history, by name only. */
async function checkNames(look: Look, git: Git, { path: directory }: Repository): Promise<void> {
  const { untracked } = look.context.config.git
  if (untracked.length === 0) return
  const patterns = untracked.map((pattern) =>
    pattern.includes('/') ? `:(glob)${pattern}` : `:(glob)**/${pattern}`,
  )
  const result = await git.run([
    'log',
    '--all',
    '--diff-filter=A',
    '--name-only',
    '-z',
    '--format=',
    '--no-renames',
    '--',
    ...patterns,
  ])
  const failure = failureOf(result)
  if (failure) return look.dark(directory, failure, ['secret-in-commit'])
  const isWrong = mustNotBeTracked(look)
  for (const path of new Set(result.stdout.split(/[\0\n]/).filter((name) => name !== '' && isWrong(name)))) {
    look.findings.push({
      rule: 'secret-in-commit',
      subject: `${directory}:${path}`,
      severity: 'critical',
      summary: `A commit of ${directory} added ${path}: its history keeps what was in it`,
      remedy: rewrite(directory, path),
      evidence: { path: `${directory}/${path}` },
    })
  }
}

function rewrite(directory: string, path: string): string {
  return `# Replace the secret first: whoever has a copy has it. Then, on a fresh clone of ${directory}:\ngit filter-repo --invert-paths --path ${shellWord(path)}`
}

/** What a patch adds: staged, or by commits. */
async function searchPatch(
  look: Look,
  git: Git,
  { path: directory }: Repository,
  rule: 'secret-staged' | 'secret-in-commit',
  args: string[],
): Promise<void> {
  const { historyBytes } = look.context.config.git
  const said = new Set<string>()
  let bytes = 0
  const reader = new PatchReader(({ commit, path, line, bytes: added }) => {
    if (said.size >= MAX_COMMITTED) return
    for (const match of look.scanner.scan(added, 0, added.length, kindInRepository(look, path))) {
      if (match.kind === 'known-hash' || match.kind === 'entropy') continue
      const where = rule === 'secret-staged' ? `${directory}/${path}:staged` : `${directory}:${path}`
      const subject = `${where}:${match.name}:${match.sha256}`
      if (said.has(subject)) continue
      said.add(subject)
      const at = line + linesBefore(added, match.offset) + match.linesAfter
      look.findings.push({
        rule,
        subject,
        severity: 'critical',
        summary:
          rule === 'secret-staged'
            ? `What is staged in ${directory} holds a secret: ${match.name} (${path}:${at})`
            : `Commit ${commit.slice(0, 12)} of ${directory} holds a secret: ${match.name} (${path}:${at})`,
        remedy:
          rule === 'secret-staged'
            ? `git -C ${shellWord(directory)} restore --staged -- ${shellWord(path)}\n# Let the file refer to the secret, then stage it again`
            : rewrite(directory, path),
        evidence: {
          path: `${directory}/${path}`,
          line: at,
          key: match.name,
          kind: match.kind,
          sha256: match.sha256,
          ...(commit === '' ? {} : { commit }),
        },
      })
    }
  })
  const failure = await git.stream(args, (piece) => {
    bytes += piece.length
    reader.push(piece)
    return bytes < historyBytes
  })
  reader.end()
  look.bytes += bytes
  if (failure) look.dark(directory, failure, [rule])
  if (said.size >= MAX_COMMITTED)
    look.dark(directory, `more than ${MAX_COMMITTED} secrets were found: no more are told`, [rule])
}

function linesBefore(bytes: Buffer, offset: number): number {
  let lines = 0
  for (let at = bytes.indexOf(10); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1)) lines++
  return lines
}
