import { expect, test } from 'bun:test'
import { onCalendar } from '../../../agent/engine/on-calendar.ts'
import { nextTime } from '../../../agent/engine/schedule.ts'
import { testWith } from '../../kit/needs.ts'

const VIENNA = 'Europe/Vienna'
const cases: [schedule: string, expected: string[]][] = [
  ['*/15 * * * *', ['*-*-* *:00,15,30,45:00 UTC']],
  ['* * * * *', ['*-*-* *:*:00 UTC']],
  ['* * * * * *', ['*-*-* *:*:* UTC']],
  ['30 2 * * *', ['*-*-* 02:30:00 UTC']],
  ['@hourly', ['*-*-* *:00:00 UTC']],
  ['@daily', ['*-*-* 00:00:00 UTC']],
  ['@weekly', ['Sun *-*-* 00:00:00 UTC']],
  ['@monthly', ['*-*-01 00:00:00 UTC']],
  ['@yearly', ['*-01-01 00:00:00 UTC']],
  ['0 3 * * 1-5', ['Mon,Tue,Wed,Thu,Fri *-*-* 03:00:00 UTC']],
  ['0 3 * * 7', ['Sun *-*-* 03:00:00 UTC']],
  ['0 3 * * sat,sun', ['Sun,Sat *-*-* 03:00:00 UTC']],
  ['0 3 1,15 * *', ['*-*-01,15 03:00:00 UTC']],
  ['0 3 L * *', ['*-*~01 03:00:00 UTC']],
  ['0 3 1 */3 *', ['*-01,04,07,10-01 03:00:00 UTC']],
  // cron joins both by "or".
  ['0 3 1 * 1', ['*-*-01 03:00:00 UTC', 'Mon *-*-* 03:00:00 UTC']],
  ['0 3 * 6 1', ['Mon *-06-* 03:00:00 UTC']],
  ['10-20/5 8-10 * 6 *', ['*-06-* 08,09,10:10,15,20:00 UTC']],
]
for (const [schedule, expected] of cases) {
  test(`onCalendar() of "${schedule}" is ${expected.join(' and ')}`, () => {
    expect(onCalendar(schedule, 'UTC')).toEqual(expected)
  })
}

for (const schedule of ['0 3 * * 1#2', '0 3 * * 5L', '0 3 1,L * *']) {
  test(`onCalendar() refuses "${schedule}", which systemd cannot say`, () => {
    expect(() => onCalendar(schedule, 'UTC')).toThrow()
  })
}

/** The next times of several calendar events together, as systemd computes them; milliseconds. */
function systemdTimes(events: string[], from: string, count: number): number[] {
  const times = events.flatMap((event) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      [...['systemd-analyze', 'calendar', `--iterations=${count}`, `--base-time=${from}`, event]],
      { env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } },
    )
    if (exitCode !== 0) throw new Error(`systemd does not take "${event}": ${stderr}`)
    const found = stdout
      .toString()
      .matchAll(/(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g)
    return [...found].map(([, day, time]) => Date.parse(`${day}T${time}Z`))
  })
  return [...new Set(times)].sort((a, b) => a - b).slice(0, count)
}

const real = testWith({ programs: ['systemd-analyze'] })
const SCHEDULES = [...cases.map(([schedule]) => schedule), '17 1 * * *', '0 0 29 2 *']

function cronTimes(schedule: string, zone: string, from: number, count: number): number[] {
  const times: number[] = []
  for (let time = nextTime(schedule, zone, from); time !== null && times.length < count; ) {
    times.push(time)
    time = nextTime(schedule, zone, time)
  }
  return times
}

for (const zone of ['UTC', VIENNA]) {
  real(`onCalendar() fires when cron does, says systemd itself, in ${zone}`, () => {
    for (const schedule of SCHEDULES) {
      const expected = cronTimes(schedule, zone, Date.parse('2026-03-10T12:00:01Z'), 4)
      const times = systemdTimes(onCalendar(schedule, zone), '2026-03-10 12:00:01 UTC', 4)
      const iso = (list: number[]) => list.map((time) => new Date(time).toISOString())
      expect({ schedule, times: iso(times) }).toEqual({ schedule, times: iso(expected) })
    }
  })
}

real('onCalendar() fires when cron does around the changes of clocks in Vienna', () => {
  for (const [day, schedules] of [
    ['2026-03-29', ['0 * * * *', '30 1 * * *', '30 3 * * *']],
    // An hourly event leaves out the second of the two hours from 2 to 3: systemd looks at the clock on the wall.
    ['2026-10-25', ['30 1 * * *', '30 2 * * *', '30 3 * * *']],
  ] as const) {
    for (const schedule of schedules) {
      const from = `${day} 00:00:01 UTC`
      const expected = cronTimes(schedule, VIENNA, Date.parse(`${day}T00:00:01Z`), 3)
      const times = systemdTimes(onCalendar(schedule, VIENNA), from, 3)
      expect({ day, schedule, times }).toEqual({ day, schedule, times: expected })
    }
  }
})
