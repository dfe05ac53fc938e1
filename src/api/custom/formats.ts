import { isIPv4, isIPv6 } from 'node:net';

type Format = (value: string) => boolean;

const matches =
  (pattern: RegExp): Format =>
  (value) =>
    pattern.test(value);

const digits = (value: string) => value.replace(/[^0-9X]/gi, '');

/** The formats that Kubernetes checks, by name without dashes; a format that is not here says nothing of a value. */
const formats: Record<string, Format> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri: isUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: (value) => isIPv4(value) && !/(^|\.)0\d/.test(value),
  ipv6: isIPv6,
  cidr: isCidr,
  mac: isMac,
  uuid: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i),
  uuid3: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i),
  uuid4: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  uuid5: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  isbn: (value) => isIsbn10(value) || isIsbn13(value),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(
    /^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*(,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*){2}\)$/,
  ),
  byte: (value) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value.replace(/[\r\n]/g, '')),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
};

/** The check of a format, if Kubernetes has one: `date-time` and `datetime` are the same. */
export function formatCheck(format: string | undefined): Format | undefined {
  if (format === undefined) return undefined;
  const name = format.replaceAll('-', '');
  return Object.hasOwn(formats, name) ? formats[name] : undefined;
}

/** As Go's url.ParseRequestURI: an absolute URI, or a path with a leading slash. */
function isUri(value: string): boolean {
  if (value === '' || /[\p{Cc} ]/u.test(value)) return false;
  if (/%(?![0-9A-Fa-f]{2})/.test(value)) return false;
  return value.startsWith('/') || /^[A-Za-z][A-Za-z0-9+.-]*:.+/.test(value);
}

/** As Go's mail.ParseAddress: an address, or a name with an address in angle brackets. */
function isEmail(value: string): boolean {
  const address = /^[^<>]*<([^<>]+)>\s*$/.exec(value)?.[1] ?? value.trim();
  const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u0080-\\uffff-]+";
  const local = new RegExp(`^(?:${atom}(?:\\.${atom})*|"(?:[^"\\\\]|\\\\.)*")@${atom}(?:\\.${atom})*$`);
  return local.test(address);
}

function isHostname(value: string): boolean {
  if (value.length > 255) return false;
  return /^[a-zA-Z0-9\u0080-\uffff](([-0-9a-zA-Z\u0080-\uffff]+)?[0-9a-zA-Z\u0080-\uffff])?(\.[a-zA-Z0-9\u0080-\uffff](([-0-9a-zA-Z\u0080-\uffff]+)?[0-9a-zA-Z\u0080-\uffff])?)*$/.test(
    value,
  );
}

function isCidr(value: string): boolean {
  const match = /^(.+)\/(0|[1-9]\d{0,2})$/.exec(value);
  if (!match) return false;
  const bits = Number(match[2]);
  return (isIPv4(match[1]!) && bits <= 32) || (isIPv6(match[1]!) && bits <= 128);
}

function isMac(value: string): boolean {
  const byBytes = /^[0-9a-f]{2}(([:-])[0-9a-f]{2})(\2[0-9a-f]{2})*$/i.exec(value);
  if (byBytes) return [6, 8, 20].includes((value.length + 1) / 3);
  return /^[0-9a-f]{4}(\.[0-9a-f]{4})+$/i.test(value) && [6, 8, 20].includes(((value.length + 1) / 5) * 2);
}

function isIsbn10(value: string): boolean {
  const text = value.replace(/[\s-]/g, '');
  if (!/^\d{9}[\dX]$/.test(text)) return false;
  const sum = [...text].reduce((all, digit, at) => all + (10 - at) * (digit === 'X' ? 10 : Number(digit)), 0);
  return sum % 11 === 0;
}

function isIsbn13(value: string): boolean {
  const text = value.replace(/[\s-]/g, '');
  if (!/^\d{13}$/.test(text)) return false;
  const sum = [...text].reduce((all, digit, at) => all + (at % 2 === 0 ? 1 : 3) * Number(digit), 0);
  return sum % 10 === 0;
}

const cards =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/;

function isCreditCard(value: string): boolean {
  const text = digits(value);
  if (!cards.test(text)) return false;
  const sum = [...text].reverse().reduce((all, digit, at) => {
    const doubled = at % 2 === 1 ? Number(digit) * 2 : Number(digit);
    return all + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}

function isDate(value: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

const dateTime = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)$/;

function isDateTime(value: string): boolean {
  const match = dateTime.exec(value);
  if (!match) return false;
  const [, date, hours, minutes, seconds] = match;
  return isDate(date!) && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60;
}

/** Go's form (`1h30m`) or Scala's (`22 ns`, `3 days`). */
function isDuration(value: string): boolean {
  if (/^[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(value)) return true;
  const units =
    'ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?';
  return new RegExp(`^(-?\\d+\\s*(${units})\\s*)+$`, 'i').test(value);
}
