import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import { openMeshPort } from './mesh-port.ts';
import type { ShimClient } from './runtimes/shim/client.ts';
import { NodeState } from './state.ts';

test('a mesh port that is taken is tried again until it is free, or the shim is gone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-port-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const state = new NodeState({ folder });
  t.after(() => state.close());
  const clock = new FakeClock();
  const taken = new Set([4001]);
  const tried: number[] = [];
  let lose = () => {};
  const shim = {
    openMeshPort: async ({ host, port }: { host: string; port: number }) => {
      tried.push(port);
      if (taken.has(port)) throw new Error(`listen EADDRINUSE: address already in use ${host}:${port}`);
      return { host, port: port || 4002 };
    },
    onDisconnect: (listener: () => void) => {
      lose = listener;
      return () => {};
    },
  } as Partial<ShimClient> as ShimClient;
  const options = { host: '127.0.0.1', state, clock, log: silentLog };
  const open = (port: number) => openMeshPort(shim, { ...options, port });

  const waiting = open(4001);
  await until('it has been tried', () => tried.length === 1);
  taken.delete(4001);
  await until('it is tried again', async () => {
    await clock.advance(1_000);
    return tried.length === 2;
  });
  assert.equal(await waiting, 4001);

  assert.equal(await open(0), 4001, 'the port of last time');
  taken.add(4001);
  assert.equal(await open(0), 4002, 'another one, where any will do');

  const lost = open(4001);
  lose();
  assert.equal(await lost, undefined);
});
