/** A moment as clocks on the wall show it. */
export interface WallTime {
  year: number
  /** From 1. */
  month: number
  day: number
  hour: number
  minute: number
  second: number
  /** 0 is Sunday. */
  weekday: number
  /** From 0. */
  yearDay: number
  /** East of UTC. */
  offsetMinutes: number
}

/** What knows the local time zone. */
export interface Clock {
  read(at: Date): WallTime
  /** The moment of a date; fields out of their range carry over, as with mktime. `month` is from 1. */
  moment(year: number, month: number, day: number, hour: number, minute: number, second: number): Date
}

const DAY_MS = 86_400_000

const ofRuntime: Clock = {
  read(at) {
    const [year, month, day] = [at.getFullYear(), at.getMonth() + 1, at.getDate()]
    return {
      year,
      month,
      day,
      hour: at.getHours(),
      minute: at.getMinutes(),
      second: at.getSeconds(),
      weekday: at.getDay(),
      yearDay: (Date.UTC(year, month - 1, day) - Date.UTC(year, 0, 1)) / DAY_MS,
      offsetMinutes: -at.getTimezoneOffset(),
    }
  },
  moment: (year, month, day, hour, minute, second) => new Date(year, month - 1, day, hour, minute, second),
}

let clock = ofRuntime

/** From now on another one says what time it is here. */
export function useClock(other: Clock): void {
  clock = other
}

export const wallTime = (at: Date): WallTime => clock.read(at)

export function momentOf(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): Date {
  return clock.moment(year, month, day, hour, minute, second)
}
