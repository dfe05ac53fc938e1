/** A moment as clocks on the wall show it. Months from 1, weekdays from Sunday = 0. */
export interface LocalTime {
  year: number;
  month: number;
  day: number;
  weekday: number;
  hour: number;
  minute: number;
  second: number;
}

/** A few clusters' worth of zones; the one unused for longest is forgotten. */
const formatsMax = 64;
const formats = new Map<string, Intl.DateTimeFormat>();

export function localTime(ms: number, timeZone: string): LocalTime {
  const at = new Date(timeZone === 'UTC' ? ms : ms + offsetMs(ms, timeZone));
  return {
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    weekday: at.getUTCDay(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
  };
}

/** How far the zone's clocks are ahead of UTC at that moment. Throws RangeError for a zone that is not known. */
export function offsetMs(ms: number, timeZone: string): number {
  const parts = formatFor(timeZone).formatToParts(ms);
  const read = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  const wallMs = Date.UTC(
    read('year'),
    read('month') - 1,
    read('day'),
    read('hour'),
    read('minute'),
    read('second'),
  );
  return wallMs - Math.floor(ms / 1000) * 1000;
}

/** Whether the zone is one of the IANA database. */
export function isTimeZone(name: string): boolean {
  try {
    formatFor(name);
    return true;
  } catch {
    return false;
  }
}

/** RFC 3339 with the zone's offset, in whole seconds. */
export function toZonedTime(ms: number, timeZone: string): string {
  const offset = timeZone === 'UTC' ? 0 : offsetMs(ms, timeZone);
  const wall = new Date(ms + offset).toISOString().slice(0, 19);
  if (offset === 0) return `${wall}Z`;
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${wall}${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

function formatFor(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format) return format;
  format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  const [oldest] = formats.keys();
  if (formats.size > formatsMax) formats.delete(oldest!);
  return format;
}
