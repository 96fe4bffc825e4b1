import { dlopen } from 'bun:ffi'
import { C_LIBRARY } from '../../../agent/host/libc.ts'
import type { Clock } from '../logrotate/local-time.ts'

// struct tm of 64-bit Linux: nine ints, then the offset of the zone in seconds as a long.
const [INTS, BYTES, OFFSET_AT] = [9, 56, 40]

/**
 * The clock of the C library. It knows every form of TZ, and is there in a moment, whereas the runtime's first look at
 * a time zone takes longer than many a rotation.
 */
export function systemClock(): Clock {
  const { symbols } = dlopen(C_LIBRARY, {
    tzset: { args: [], returns: 'void' },
    localtime_r: { args: ['ptr', 'ptr'], returns: 'ptr' },
    mktime: { args: ['ptr'], returns: 'i64' },
  })
  const seconds = new BigInt64Array(1)
  const time = new ArrayBuffer(BYTES)
  const fields = new Int32Array(time, 0, INTS)
  const offset = new BigInt64Array(time, OFFSET_AT, 1)
  const all = new Uint8Array(time)
  symbols.tzset()
  return {
    read(at) {
      seconds[0] = BigInt(Math.floor(at.getTime() / 1000))
      symbols.localtime_r(seconds, all)
      const [second = 0, minute = 0, hour = 0, day = 1, month = 0, year = 70, weekday = 0, yearDay = 0] =
        fields
      const offsetMinutes = Number((offset[0] ?? 0n) / 60n)
      return {
        year: year + 1900,
        month: month + 1,
        day,
        hour,
        minute,
        second,
        weekday,
        yearDay,
        offsetMinutes,
      }
    },
    moment(year, month, day, hour, minute, second) {
      all.fill(0)
      // The last: whether it is summer time is to be found out.
      fields.set([second, minute, hour, day, month - 1, year - 1900, 0, 0, -1])
      return new Date(Number(symbols.mktime(all)) * 1000)
    },
  }
}
