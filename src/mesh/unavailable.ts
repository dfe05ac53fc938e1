import { Duplex } from 'node:stream';

/** A request was held for a Service without endpoints, and none came; or too many were held already. */
export class Unavailable extends Error {
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number) {
    super(message);
    this.name = 'Unavailable';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const body = ({ message }: Unavailable) => `${JSON.stringify({ error: message })}\n`;

export function unavailableResponse(error: Unavailable): Response {
  const headers = { 'content-type': 'application/json', 'retry-after': String(error.retryAfterSeconds) };
  return new Response(body(error), { status: 503, statusText: 'Service Unavailable', headers });
}

/** The same as it stands on a connection. */
export function unavailableText(error: Unavailable): string {
  const text = body(error);
  return [
    'HTTP/1.1 503 Service Unavailable',
    'content-type: application/json',
    `retry-after: ${error.retryAfterSeconds}`,
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    '',
    text,
  ].join('\r\n');
}

/** A connection whose other end answers that, whatever is asked. */
export class UnavailableStream extends Duplex {
  readonly #text: string;
  #isAnswered = false;

  constructor(error: Unavailable) {
    super();
    this.#text = unavailableText(error);
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.push(this.#text);
    this.push(null);
  }

  // What `http` asks of a socket.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
