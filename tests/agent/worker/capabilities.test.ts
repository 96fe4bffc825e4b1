import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CAPABILITIES, capabilitySet, permittedCapabilities } from '../../../agent/worker/capabilities.ts'
import { testWith } from '../../kit/needs.ts'

const bits: [names: string[], set: bigint][] = [
  [[], 0n],
  [['CAP_CHOWN'], 1n],
  [['CAP_DAC_READ_SEARCH'], 4n],
  [['CAP_CHOWN', 'CAP_CHOWN', 'CAP_FOWNER'], 9n],
  [['CAP_SYS_ADMIN'], 1n << 21n],
  [['CAP_LEASE'], 1n << 28n],
  [['CAP_CHECKPOINT_RESTORE'], 1n << 40n],
]
for (const [names, set] of bits) {
  test(`capabilitySet() of ${names.join(', ') || 'nothing'} is ${set}`, () => {
    expect(capabilitySet(names)).toBe(set)
  })
}

for (const name of ['CAP_EVERYTHING', 'cap_chown', 'CHOWN', '']) {
  test(`capabilitySet() refuses "${name}"`, () => {
    expect(() => capabilitySet([name])).toThrow(`Cannot grant "${name}": there is no such capability`)
  })
}

test('CAPABILITIES has as many as this kernel knows', () => {
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  expect(CAPABILITIES.length).toBeGreaterThanOrEqual(Math.min(last, 40) + 1)
})

test('permittedCapabilities() is what /proc says of this process', () => {
  const line = /^CapPrm:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  expect(permittedCapabilities()).toBe(BigInt(`0x${line}`))
})

/** The capability sets of a process that has kept some, and of what it then executes. */
function keep(names: string[]): Record<string, string>[] {
  const module = join(import.meta.dir, '../../../agent/worker/capabilities.ts')
  const script = `
    import { keepCapabilities, capabilitySet } from ${JSON.stringify(module)}
    import { readFileSync } from 'node:fs'
    keepCapabilities(capabilitySet(${JSON.stringify(names)}))
    console.log(readFileSync('/proc/self/status', 'utf8'))
    console.log('----')
    process.execve('/bin/cat', ['cat', '/proc/self/status'], {})
  `
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, '-e', script])
  if (exitCode !== 0) throw new Error(stderr.toString())
  return stdout
    .toString()
    .split('----')
    .map((text) =>
      Object.fromEntries(
        [...text.matchAll(/^Cap(\w+):\s*(\w+)$/gm)].map(([, set = '', value = '']) => [set, value]),
      ),
    )
}

testWith({ root: true })(
  'keepCapabilities() gives up all others for good, also in what is executed next',
  () => {
    const wanted = capabilitySet(['CAP_DAC_READ_SEARCH', 'CAP_CHECKPOINT_RESTORE']) & permittedCapabilities()
    const hex = wanted.toString(16).padStart(16, '0')
    const [before, after] = keep(['CAP_DAC_READ_SEARCH', 'CAP_CHECKPOINT_RESTORE'])
    expect(before).toMatchObject({ Eff: hex, Prm: hex, Inh: hex, Amb: hex, Bnd: hex })
    expect(after).toMatchObject({ Eff: hex, Prm: hex, Bnd: hex })
  },
)

testWith({ root: true })('keepCapabilities() of nothing leaves root without any power', () => {
  const none = '0'.repeat(16)
  for (const sets of keep([])) expect(sets).toMatchObject({ Eff: none, Prm: none, Bnd: none })
})
