import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { WatchEvent } from '../../client/transport.ts';
import { drainTimeoutMs } from './write-parts.ts';
import { writeResponse } from './write-response.ts';

/** A client that takes one chunk and then no more. */
class StuckResponse extends EventEmitter {
  chunks: string[] = [];
  destroyed = false;
  isEnded = false;

  writeHead(): void {}
  flushHeaders(): void {}
  write(chunk: Buffer): boolean {
    this.chunks.push(chunk.toString());
    return false;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

async function* endless(): AsyncGenerator<WatchEvent> {
  for (;;) yield { type: 'ADDED', object: { metadata: { name: 'one' } } };
}

function start(signal: AbortSignal) {
  const stuck = new StuckResponse();
  const request = { complete: true, headers: {}, url: '/' } as unknown as IncomingMessage;
  const response = stuck as unknown as ServerResponse;
  const answer = { code: 200, headers: {}, kind: 'watch' as const, events: endless() };
  return { stuck, done: writeResponse({ request, response, signal }, answer) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a watcher that takes nothing for a minute is cut off, and nothing piles up meanwhile', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const gone = new AbortController();
  const { stuck, done } = start(gone.signal);
  stuck.once('close', () => gone.abort());
  await settled();
  assert.equal(stuck.chunks.length, 1);
  context.mock.timers.tick(drainTimeoutMs - 1);
  await settled();
  assert.equal(stuck.destroyed, false);
  context.mock.timers.tick(1);
  await done;
  assert.equal(stuck.destroyed, true);
  assert.equal(stuck.chunks.length, 1);
});

test('a watcher that reads on is sent more', async () => {
  const gone = new AbortController();
  const { stuck, done } = start(gone.signal);
  for (let turn = 0; turn < 3; turn++) {
    await settled();
    stuck.emit('drain');
  }
  await settled();
  assert.equal(stuck.chunks.length, 4);
  assert.equal(stuck.chunks[0], '{"type":"ADDED","object":{"metadata":{"name":"one"}}}\n');
  gone.abort();
  await done;
});
