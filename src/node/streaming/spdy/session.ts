import type { Duplex } from 'node:stream';
import { encodeFrame, type Frame, FrameReader, goAwayStatus, resetStatus } from './frames.ts';
import { HeaderReader, type Headers, HeaderWriter } from './header-block.ts';
import { ProtocolError } from './protocol-error.ts';
import { SpdyStream } from './stream.ts';

export interface SpdySessionOptions {
  /** Whether a stream with these headers is taken; others are reset. */
  accepts: (headers: Headers) => boolean;
  onStream: (stream: SpdyStream) => void;
  /** Called once when the connection is gone; with an error if the other side broke the protocol. */
  onClose?: (error: Error | undefined) => void;
  stuckMs?: number;
}

/** Streams that one connection may have open. Port-forwarding uses two for each forwarded connection. */
export const streamsMax = 512;
/** What may wait for a client that sends (pings, say) but doesn't read. */
export const unreadBytesMax = 4 * 1024 * 1024;
/** How long a stream that nobody reads may hold up the others before it is reset. */
const stuckMsDefault = 5 * 60_000;
const goodbyeMs = 500;

/**
 * The server's side of SPDY/3.1 as Kubernetes speaks it: streams with headers, opened by the client.
 * Kubernetes' own SPDY keeps no flow-control windows, so a stream that isn't read holds up the whole connection.
 */
export class SpdySession {
  readonly #connection: Duplex;
  readonly #options: SpdySessionOptions;
  readonly #frames = new FrameReader();
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new HeaderWriter();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #full = new Map<SpdyStream, NodeJS.Timeout>();
  #lastStreamId = 0;
  #isClosed = false;

  constructor(connection: Duplex, options: SpdySessionOptions) {
    this.#connection = connection;
    this.#options = options;
    connection.on('data', (chunk: Buffer) => this.#receive(chunk));
    connection.on('end', () => this.#close());
    connection.on('error', () => this.#close());
    connection.on('close', () => this.#close());
  }

  /** Says goodbye and ends the connection once all that was written is sent. */
  end(): void {
    if (this.#isClosed) return;
    this.#send({ type: 'goAway', lastStreamId: this.#lastStreamId, status: goAwayStatus.ok });
    this.#connection.end();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#isClosed) return;
        this.#handle(frame);
      }
      if (this.#connection.writableLength > unreadBytesMax) {
        throw new ProtocolError(`${unreadBytesMax} bytes wait to be read by the client`);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#send({ type: 'goAway', lastStreamId: this.#lastStreamId, status: goAwayStatus.protocolError });
      this.#close(error);
    }
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case 'synStream':
        return void this.#open(frame.streamId, this.#headerReader.read(frame.block), frame.isFinal);
      case 'data': {
        // Data for a stream that has just been closed is on its way without fault.
        const stream = this.#streams.get(frame.streamId);
        if (!stream) return;
        if (frame.data.length > 0 && !stream.receive(frame.data)) this.#hold(stream);
        if (frame.isFinal) stream.receiveEnd();
        return;
      }
      case 'synReply':
      case 'headers': {
        // Inflated although nobody asks: the next block's window contains it.
        this.#headerReader.read(frame.block);
        if (frame.isFinal) this.#streams.get(frame.streamId)?.receiveEnd();
        return;
      }
      case 'rstStream':
        return void this.#streams.get(frame.streamId)?.receiveReset();
      case 'ping':
        // Odd ids are the client's own; an even one would answer a ping that was never sent.
        if (frame.id % 2 === 1) this.#send(frame);
        return;
      case 'goAway':
      case 'settings':
      case 'windowUpdate':
        return;
    }
  }

  #open(streamId: number, headers: Headers, isFinal: boolean): void {
    if (streamId % 2 === 0 || streamId <= this.#lastStreamId) {
      throw new ProtocolError(`stream ${streamId} is not one that a client could open now`);
    }
    this.#lastStreamId = streamId;
    if (this.#streams.size >= streamsMax || !this.#options.accepts(headers)) {
      return void this.#send({ type: 'rstStream', streamId, status: resetStatus.refusedStream });
    }
    const stream = new SpdyStream(streamId, headers, {
      send: (data, isFinal, done) => this.#sendData(streamId, data, isFinal, done),
      wantsMore: () => this.#release(stream),
      closed: (isWhole) => {
        this.#streams.delete(streamId);
        this.#release(stream);
        if (!isWhole) this.#send({ type: 'rstStream', streamId, status: resetStatus.cancel });
      },
    });
    this.#streams.set(streamId, stream);
    this.#send({ type: 'synReply', streamId, isFinal: false, block: this.#headerWriter.write(new Map()) });
    if (isFinal) stream.receiveEnd();
    this.#options.onStream(stream);
  }

  #hold(stream: SpdyStream): void {
    if (this.#full.has(stream)) return;
    const timer = setTimeout(() => stream.destroy(), this.#options.stuckMs ?? stuckMsDefault);
    this.#full.set(stream, timer.unref());
    this.#connection.pause();
  }

  #release(stream: SpdyStream): void {
    const timer = this.#full.get(stream);
    if (!timer) return;
    clearTimeout(timer);
    this.#full.delete(stream);
    if (this.#full.size === 0) this.#connection.resume();
  }

  #sendData(streamId: number, data: Buffer, isFinal: boolean, done: (error?: Error | null) => void): void {
    if (this.#isClosed) return void done(new Error('the connection is closed'));
    this.#connection.write(encodeFrame({ type: 'data', streamId, isFinal, data }), done);
  }

  #send(frame: Frame): void {
    if (!this.#isClosed && this.#connection.writable) this.#connection.write(encodeFrame(frame));
  }

  #close(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.end();
    // Time for the goodbye to be read.
    setTimeout(() => this.#connection.destroy(), error ? goodbyeMs : 0).unref();
    for (const stream of [...this.#streams.values()]) stream.destroy();
    this.#options.onClose?.(error);
  }
}
