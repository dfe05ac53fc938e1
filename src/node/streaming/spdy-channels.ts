import { type Duplex, PassThrough, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type Channels, Resizes } from './channels.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream } from './spdy/stream.ts';

export const spdyChannelProtocols = ['v4.channel.k8s.io'];

const streamsTimeoutMs = 30_000;
const kinds = ['error', 'stdin', 'stdout', 'stderr', 'resize'];

/** Channels over SPDY: the client opens a stream for each, named by the header `streamtype`. */
export function spdyChannels(connection: Duplex, wanted: readonly string[]): Promise<Channels> {
  return new Promise((resolve, reject) => {
    const streams = new Map<string, SpdyStream>();
    const gone = new AbortController();
    const resizes = new Resizes();
    const timer = setTimeout(() => {
      reject(new Error(`timed out waiting for the streams ${wanted.join(', ')}`));
      connection.destroy();
    }, streamsTimeoutMs);
    const session = new SpdySession(connection, {
      accepts: (headers) => {
        const kind = headers.get('streamtype') ?? '';
        return kinds.includes(kind) && !streams.has(kind);
      },
      onStream: (stream) => {
        const kind = stream.headers.get('streamtype')!;
        streams.set(kind, stream);
        // One size a message, each a whole JSON object.
        if (kind === 'resize')
          stream.on('data', (chunk: Buffer) => {
            for (const text of chunk.toString().match(/\{[^}]*\}/g) ?? []) resizes.take(text);
          });
        else if (kind !== 'stdin') stream.resume();
        if (!wanted.every((each) => streams.has(each))) return;
        clearTimeout(timer);
        resolve(channelsOf(streams, { signal: gone.signal, session, resizes }));
      },
      onClose: (error) => {
        clearTimeout(timer);
        gone.abort();
        reject(error ?? new Error('the client is gone'));
      },
    });
  });
}

function channelsOf(
  streams: Map<string, SpdyStream>,
  { signal, session, resizes }: { signal: AbortSignal; session: SpdySession; resizes: Resizes },
): Channels {
  const stdin = streams.get('stdin') ?? new PassThrough().end();
  const output = (kind: string): Writable => streams.get(kind) ?? new PassThrough().resume();
  const [stdout, stderr] = [output('stdout'), output('stderr')];
  return {
    stdin,
    stdout,
    stderr,
    onResize: (listener) => resizes.subscribe(listener),
    signal,
    async finish(status) {
      if (signal.aborted) return;
      const error = streams.get('error')!;
      error.end(JSON.stringify(status));
      const ends = [error, stdout, stderr].map((stream) => finished(stream.end(), { readable: false }));
      await Promise.all(ends).catch(() => {});
      session.end();
    },
  };
}
