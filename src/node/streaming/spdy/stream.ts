import { Duplex } from 'node:stream';
import type { Headers } from './header-block.ts';

/** What a stream needs of its session. */
export interface StreamLink {
  send(data: Buffer, isFinal: boolean, done: (error?: Error | null) => void): void;
  /** The reader has taken what there was. */
  wantsMore(): void;
  /** The stream is over; `isWhole` when both sides ended it, or the other one reset it. */
  closed(isWhole: boolean): void;
}

const frameBytes = 32 * 1024;
const nothing = Buffer.alloc(0);

/** One stream of a SPDY connection. Ending it half-closes it; destroying it resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #link: StreamLink;
  #isEndReceived = false;
  #isEndSent = false;
  #isResetReceived = false;

  constructor(id: number, headers: Headers, link: StreamLink) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#link = link;
    // A stream breaks with its connection; whoever uses it is told by `close`.
    this.on('error', () => {});
  }

  /** False when the reader is behind: the session holds back until it has caught up. */
  receive(data: Buffer): boolean {
    if (this.#isEndReceived) return true;
    return this.push(data);
  }

  receiveEnd(): void {
    if (this.#isEndReceived) return;
    this.#isEndReceived = true;
    this.push(null);
  }

  receiveReset(): void {
    this.#isResetReceived = true;
    this.destroy();
  }

  override _read(): void {
    this.#link.wantsMore();
  }

  override _write(data: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (data.length <= frameBytes) return void this.#link.send(data, false, done);
    this.#link.send(data.subarray(0, frameBytes), false, (error) => {
      if (error) done(error);
      else this._write(data.subarray(frameBytes), '', done);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#isEndSent = true;
    this.#link.send(nothing, true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#link.closed(this.#isResetReceived || (this.#isEndReceived && this.#isEndSent));
    done(error);
  }
}
