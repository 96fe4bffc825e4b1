import { expect, test } from 'bun:test'
import { kernelClock } from '../../../agent/host/clock.ts'
import { type ClockState, judgeClock } from '../../../plugins/host-hardening/clock.ts'
import { recordCases, ruleCases } from '../../kit/rule-cases.ts'

const good = { synchronised: true, offsetMs: 0.2, estimatedErrorMs: 1, maxErrorMs: 20 }
const state = (more: Partial<ClockState> = {}): ClockState => ({
  active: ['chronyd'],
  kernel: good,
  isMarked: false,
  isSilent: false,
  ...more,
})

const cases: [name: string, state: ClockState, rules: string[], isBlind: boolean][] = [
  ['a service keeps it', state(), [], false],
  ['no service runs', state({ active: [] }), ['no-time-service'], false],
  [
    'no server agrees',
    state({ kernel: { ...good, synchronised: false } }),
    ['clock-not-synchronised'],
    false,
  ],
  [
    'chrony does not tell the kernel',
    state({ kernel: { ...good, synchronised: false }, isSilent: true }),
    [],
    true,
  ],
  ['it is off', state({ kernel: { ...good, offsetMs: -1500 } }), ['clock-off'], false],
  ['its error is large', state({ kernel: { ...good, estimatedErrorMs: 1500 } }), ['clock-off'], false],
  ['the kernel cannot be asked', state({ kernel: undefined }), [], true],
  [
    'only systemd tells, and it agrees',
    state({ active: ['systemd-timesyncd'], kernel: undefined, isMarked: true }),
    [],
    false,
  ],
  [
    'only systemd tells, and it does not agree',
    state({ active: ['systemd-timesyncd'], kernel: undefined }),
    ['clock-not-synchronised'],
    false,
  ],
  [
    'nothing runs, and the kernel cannot be asked',
    state({ active: [], kernel: undefined }),
    ['no-time-service'],
    true,
  ],
  ['systemd says that it is in agreement', state({ kernel: undefined, told: true }), [], false],
  [
    'systemd says that it is not',
    state({ kernel: undefined, told: false }),
    ['clock-not-synchronised'],
    false,
  ],
  ['systemd cannot know it of chrony', state({ kernel: undefined, told: false, isSilent: true }), [], true],
]
for (const [name, clock, rules, isBlind] of cases) {
  test(`judgeClock() says ${rules.join(', ') || (isBlind ? 'that it cannot tell' : 'nothing')} when ${name}`, () => {
    const { findings, dark } = judgeClock(clock, 1000)
    // A clock that is off is no test's to make: for the gate the judgement stands for the run.
    if (!isBlind) recordCases(ruleCases('host-hardening', 'check', ['clock-off'], { findings }))
    expect([findings.map(({ rule }) => rule), dark !== undefined]).toEqual([rules, isBlind])
  })
}

test('kernelClock() says what the kernel does', () => {
  const clock = kernelClock()
  if (!clock) throw new Error('this machine does not let its kernel be asked')
  expect(clock.maxErrorMs).toBeGreaterThanOrEqual(0)
  expect(Math.abs(clock.offsetMs)).toBeLessThan(10_000)
})
