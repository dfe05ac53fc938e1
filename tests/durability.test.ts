// The server is killed again and again while many clients write; what it acknowledged, it still has.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { configMap } from '../src/api/kinds/configMap.ts';
import { isStatus } from '../src/base/errors.ts';
import { freePort } from '../src/cli/demo/free-port.ts';
import { type Client, createClient, httpTransport } from '../src/client/index.ts';
import { readKubeconfig } from '../src/identity/kubeconfig.ts';
import { type Background, openShell, type Shell } from './shell.ts';

const killsCount = 5;
const writersCount = 8;
const objectsPerWriter = 25;
const namespace = 'default';

/** What one writer knows of one object: its last acknowledged content, and the one that was sent without an answer. */
interface Written {
  acknowledged: number;
  unanswered: number | undefined;
}

test('what the server acknowledged is there after five times kill -9, with the content that was acknowledged', {
  timeout: 600_000,
}, async (t) => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`SEED=${seed}`);
  const random = randomFrom(seed);
  const shell = openShell(t);
  const port = await freePort();
  let server = await start(shell, port);
  const connection = await connect(shell);
  t.after(() => connection.close());

  const stop = new AbortController();
  const written = new Map<string, Written>();
  const counts = { acknowledged: 0, unanswered: 0 };
  const writers = Array.from({ length: writersCount }, (_, writer) =>
    write(connection.client, `writer-${writer}`, { written, counts, signal: stop.signal }),
  );
  try {
    for (let kill = 0; kill < killsCount; kill++) {
      const before = counts.acknowledged;
      // It is killed at work: writes are being answered, and some are under way.
      await until(() => counts.acknowledged > before + 20);
      await new Promise((resolve) => setTimeout(resolve, random() * 500));
      server = await killAndRestart(shell, server, port);
    }
    const before = counts.acknowledged;
    await until(() => counts.acknowledged > before + 20);
  } finally {
    stop.abort();
    await Promise.all(writers);
  }
  server = await killAndRestart(shell, server, port);

  const { items } = await connection.client.list(configMap, { namespace });
  const found = new Map(items.map((item) => [item.metadata!.name!, item.data?.count]));
  for (const [name, { acknowledged, unanswered }] of written) {
    const count = Number(found.get(name) ?? 0);
    assert.ok(
      count === acknowledged || count === unanswered,
      `${name}: ${acknowledged} was acknowledged (${unanswered ?? 'nothing'} sent after it), found ${count}`,
    );
  }
  t.diagnostic(
    `${counts.acknowledged} acknowledged writes of ${written.size} objects kept; ${counts.unanswered} were cut off`,
  );
  assert.ok(counts.unanswered > 0, 'no kill met a write under way');
});

/** Creates its objects, then updates them in turn, each time with the next number, until the signal aborts. */
async function write(
  client: Client,
  writer: string,
  options: {
    written: Map<string, Written>;
    counts: { acknowledged: number; unanswered: number };
    signal: AbortSignal;
  },
): Promise<void> {
  const { written, counts, signal } = options;
  for (let turn = 0; !signal.aborted; turn++) {
    const name = `${writer}-${turn % objectsPerWriter}`;
    const state = written.get(name) ?? { acknowledged: 0, unanswered: undefined };
    written.set(name, state);
    while (state.unanswered !== undefined && !(await settle(client, name, state))) {
      if (signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const count = state.acknowledged + 1;
    state.unanswered = count;
    try {
      const object = { metadata: { name, namespace }, data: { count: String(count) } };
      await (count === 1 ? client.create(configMap, object) : client.update(configMap, object));
      Object.assign(state, { acknowledged: count, unanswered: undefined });
      counts.acknowledged++;
    } catch (error) {
      assert.ok(isStatus(error, 'ServiceUnavailable'), String(error));
      // Only of a connection that was there may the server have taken something.
      if (!error.message.includes('ECONNREFUSED')) counts.unanswered++;
      turn--;
    }
  }
}

/** A write without an answer was done wholly or not at all; tells which, as soon as the server answers again. */
async function settle(client: Client, name: string, state: Written): Promise<boolean> {
  let count = 0;
  try {
    count = Number((await client.get(configMap, { namespace, name })).data?.count);
  } catch (error) {
    if (isStatus(error, 'ServiceUnavailable')) return false;
    assert.ok(isStatus(error, 'NotFound'), String(error));
  }
  assert.ok(
    count === state.acknowledged || count === state.unanswered,
    `${name}: ${state.acknowledged} was acknowledged, ${state.unanswered} sent after it, found ${count}`,
  );
  Object.assign(state, { acknowledged: count, unanswered: undefined });
  return true;
}

async function killAndRestart(shell: Shell, server: Background, port: number): Promise<Background> {
  server.process.kill('SIGKILL');
  await server.exited;
  return start(shell, port);
}

async function start(shell: Shell, port: number): Promise<Background> {
  const server = shell.start(`selvage up --no-node --no-kubeconfig --port ${port}`);
  await server.until(/API ready/, 60_000);
  return server;
}

async function connect(shell: Shell) {
  const { caPem, ...connection } = await readKubeconfig(join(shell.home, '.selvage', 'kubeconfig'));
  // The kubeconfig that `selvage up` writes has the authority in it.
  const transport = httpTransport({ ...connection, caPem: caPem!, timeoutMs: 10_000 });
  return { client: createClient(transport), close: () => transport.close() };
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < endMs, 'the writers made no progress for 15 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A small generator that one seed replays (Numerical Recipes' linear congruence). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
