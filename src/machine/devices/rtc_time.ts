/**
 * Date and time in the MC146818's registers: binary or BCD, 12 or 24 hours, and
 * when its alarm goes off.
 */

const SECONDS = 0, SECONDS_ALARM = 1, MINUTES = 2, MINUTES_ALARM = 3;
const HOURS = 4, HOURS_ALARM = 5, WEEKDAY = 6, DAY = 7, MONTH = 8, YEAR = 9;
const CENTURY = 0x32;
const B_BINARY = 0x04, B_24H = 0x02, PM = 0x80;
/** Alarm bytes from here on match anything. */
const DONT_CARE = 0xc0;
const DAY_SECONDS = 86400n;

/** The registers that move with the time (the alarm's do not). */
export const TIME_REGISTERS: readonly number[] = [
  SECONDS,
  MINUTES,
  HOURS,
  WEEKDAY,
  DAY,
  MONTH,
  YEAR,
];

/** Reads and writes times in the format that register B chooses. */
export class CmosTime {
  readonly #binary: boolean;
  readonly #hours24: boolean;

  constructor(registerB: number) {
    this.#binary = (registerB & B_BINARY) !== 0;
    this.#hours24 = (registerB & B_24H) !== 0;
  }

  #encode(value: number): number {
    return this.#binary ? value : Math.floor(value / 10) * 16 + value % 10;
  }

  #decode(value: number): number {
    return this.#binary ? value : (value >> 4) * 10 + (value & 15);
  }

  #encodeHour(hour: number): number {
    if (this.#hours24) return this.#encode(hour);
    return this.#encode(hour % 12 || 12) | (hour >= 12 ? PM : 0);
  }

  #decodeHour(value: number): number {
    if (this.#hours24) return this.#decode(value);
    return this.#decode(value & 0x7f) % 12 + (value & PM ? 12 : 0);
  }

  /** Writes Unix time `seconds` into the registers. */
  store(cmos: Uint8Array, seconds: bigint): void {
    const date = new Date(Number(seconds) * 1000);
    const year = date.getUTCFullYear();
    cmos[SECONDS] = this.#encode(date.getUTCSeconds());
    cmos[MINUTES] = this.#encode(date.getUTCMinutes());
    cmos[HOURS] = this.#encodeHour(date.getUTCHours());
    cmos[WEEKDAY] = this.#encode(date.getUTCDay() + 1);
    cmos[DAY] = this.#encode(date.getUTCDate());
    cmos[MONTH] = this.#encode(date.getUTCMonth() + 1);
    cmos[YEAR] = this.#encode(year % 100);
    cmos[CENTURY] = this.#encode(Math.floor(year / 100));
  }

  /** The Unix time in the registers, seconds. */
  fetch(cmos: Uint8Array): bigint {
    const ms = Date.UTC(
      this.#decode(cmos[CENTURY]) * 100 + this.#decode(cmos[YEAR]),
      this.#decode(cmos[MONTH]) - 1,
      this.#decode(cmos[DAY]),
      this.#decodeHour(cmos[HOURS]),
      this.#decode(cmos[MINUTES]),
      this.#decode(cmos[SECONDS]),
    );
    return BigInt(Math.floor(ms / 1000));
  }

  /** The first second after `seconds` at which the alarm matches, or null. */
  nextAlarm(cmos: Uint8Array, seconds: bigint): bigint | null {
    const alarm = [HOURS_ALARM, MINUTES_ALARM, SECONDS_ALARM].map((register) =>
      cmos[register]
    );
    const hours = candidates(alarm[0], 24, (hour) => this.#encodeHour(hour));
    const minutes = candidates(alarm[1], 60, (value) => this.#encode(value));
    const secs = candidates(alarm[2], 60, (value) => this.#encode(value));
    if (!hours.length || !minutes.length || !secs.length) return null;
    const midnight = seconds - seconds % DAY_SECONDS;
    const after = Number(seconds % DAY_SECONDS);
    for (const hour of hours) {
      if (hour * 3600 + 3599 <= after) continue;
      for (const minute of minutes) {
        const start = hour * 3600 + minute * 60;
        if (start + 59 <= after) continue;
        for (const second of secs) {
          if (start + second > after) return midnight + BigInt(start + second);
        }
      }
    }
    return midnight + DAY_SECONDS +
      BigInt(hours[0] * 3600 + minutes[0] * 60 + secs[0]);
  }
}

/** The values below `count` that an alarm byte matches. */
function candidates(
  alarm: number,
  count: number,
  encode: (value: number) => number,
): number[] {
  const all = Array.from({ length: count }, (_, value) => value);
  return alarm >= DONT_CARE
    ? all
    : all.filter((value) => encode(value) === alarm);
}
