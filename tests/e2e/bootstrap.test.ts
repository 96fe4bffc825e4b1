import { expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../kit/plugin.ts'

const CHECKOUT = join(import.meta.dir, '../..')

/** A checkout with just scripts/bun in it, on a machine that has just the named programs. */
function bareMachine(programs: Record<string, string>) {
  const directory = temporaryDirectory('reeve-bare')
  const { path } = directory
  for (const name of ['scripts', 'bin']) mkdirSync(join(path, name))
  copyFileSync(join(CHECKOUT, 'scripts/bun'), join(path, 'scripts/bun'))
  copyFileSync(join(CHECKOUT, 'package.json'), join(path, 'package.json'))
  for (const name of ['sh', 'sed', 'head', 'dirname', 'mkdir', 'ln', 'cat']) {
    symlinkSync(Bun.which(name) ?? '', join(path, 'bin', name))
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(path, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }
  const run = (...args: string[]) => {
    const child = Bun.spawnSync([join(path, 'scripts/bun'), ...args], { env: { PATH: join(path, 'bin') } })
    return { exitCode: child.exitCode, stdout: `${child.stdout}`, stderr: `${child.stderr}` }
  }
  return { path, run, [Symbol.dispose]: () => directory[Symbol.dispose]() }
}

const fakeBun = (version: string) =>
  `if [ "$1" = --version ]; then echo ${version}; else echo "bun ${version}: $*"; fi`

test('scripts/bun takes the Bun on PATH when it is the pinned version', () => {
  using machine = bareMachine({ bun: fakeBun(Bun.version) })
  expect(machine.run('run', 'build')).toEqual({
    exitCode: 0,
    stdout: `bun ${Bun.version}: run build\n`,
    stderr: '',
  })
})

test('scripts/bun fetches the pinned Bun by npm, once, when the one on PATH is another', () => {
  const install = `
    while [ "$1" != --prefix ]; do shift; done
    mkdir -p "$2/node_modules/.bin"
    [ ! -e "$2/node_modules/.bin/bun" ] || exit 1
    cat > "$2/node_modules/.bin/bun" <<'END'
#!/bin/sh
${fakeBun(Bun.version)}
END
    ${Bun.which('chmod')} +x "$2/node_modules/.bin/bun"`
  using machine = bareMachine({ bun: fakeBun('0.9.9'), npm: install })
  const first = machine.run('test')
  expect(first).toMatchObject({ exitCode: 0, stdout: `bun ${Bun.version}: test\n` })
  expect(first.stderr).toContain(`Fetching Bun ${Bun.version}`)
  expect(machine.run('test').stderr).toBe('')
})

test('scripts/bun says what to install when there is neither npm nor curl', () => {
  using machine = bareMachine({})
  const { exitCode, stderr } = machine.run('test')
  expect(exitCode).toBe(1)
  expect(stderr).toContain('neither npm nor curl is installed')
  expect(stderr).toContain('apt-get install nodejs npm')
})

test('scripts/bun names the log when npm cannot fetch it', () => {
  using machine = bareMachine({ npm: 'echo no network; exit 1' })
  const { exitCode, stderr } = machine.run('test')
  expect(exitCode).toBe(1)
  expect(stderr).toContain(`see ${machine.path}/.bun/install.log`)
})
