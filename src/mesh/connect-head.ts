/** The longest CONNECT head that is read, request or response. */
export const connectHeadBytesMax = 1024;

export type HeadResult<T> =
  /** The head isn't complete yet. */
  | { kind: 'partial' }
  | { kind: 'bad'; reason: string }
  /** `rest` is what came after the head. */
  | { kind: 'head'; head: T; rest: Buffer };

const requestLine = /^CONNECT ((?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-fA-F:.]{2,45}\]):(\d{1,5}) HTTP\/1\.1$/;
const statusLine = /^HTTP\/1\.1 (\d{3})(?: ([\x20-\x7e]*))?$/;
const fieldLine = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*$/;
const framing = /^(content-length|transfer-encoding):/i;

/** Reads `CONNECT <ip>:<port> HTTP/1.1`, strictly (RFC 9110, 9.3.6): what is ambiguous is refused, not guessed. */
export function parseConnectRequest(bytes: Buffer): HeadResult<{ ip: string; port: number }> {
  return parse(bytes, (line) => {
    const match = requestLine.exec(line);
    const port = Number(match?.[2]);
    if (!match || port < 1 || port > 65535) return undefined;
    return { ip: match[1]!.replace(/^\[|\]$/g, ''), port };
  });
}

/** Reads the answer to a CONNECT; its reason phrase says why one was refused. */
export function parseConnectResponse(bytes: Buffer): HeadResult<{ status: number; reason: string }> {
  return parse(bytes, (line) => {
    const match = statusLine.exec(line);
    return match ? { status: Number(match[1]), reason: match[2] ?? '' } : undefined;
  });
}

export function connectRequest(ip: string, port: number): string {
  const authority = `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
}

export function connectResponse(status: number, reason: string): string {
  return `HTTP/1.1 ${status} ${reason.replace(/[^\x20-\x7e]/g, ' ').slice(0, 200)}\r\n\r\n`;
}

function parse<T>(bytes: Buffer, readFirst: (line: string) => T | undefined): HeadResult<T> {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) {
    if (bytes.length >= connectHeadBytesMax) return { kind: 'bad', reason: 'head is too long' };
    return { kind: 'partial' };
  }
  if (end + 4 > connectHeadBytesMax) return { kind: 'bad', reason: 'head is too long' };
  const [first = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const head = readFirst(first);
  if (head === undefined) return { kind: 'bad', reason: 'first line is not a CONNECT' };
  for (const field of fields) {
    if (!fieldLine.test(field)) return { kind: 'bad', reason: 'malformed header field' };
    if (framing.test(field)) return { kind: 'bad', reason: 'a CONNECT has no body' };
  }
  return { kind: 'head', head, rest: bytes.subarray(end + 4) };
}
