import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '../../base/errors.ts';
import { configMap } from '../kinds/configMap.ts';
import type { KubeObject } from '../object.ts';
import { applyConfiguration } from './apply-configuration.ts';
import { managersIn } from './managers.ts';

type ConfigMap = KubeObject & { data?: Record<string, string> };

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const managers = ['a', 'b', 'c'];
const keys = ['one', 'two', 'three', 'four'];

/** Mulberry32. */
function random(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`any sequence of applies leaves exactly what its managers want (SEED=${seed})`, () => {
  const next = random(seed);
  const wanted = new Map(managers.map((manager) => [manager, {} as Record<string, string>]));
  let live: ConfigMap | undefined;
  for (let step = 0; step < 2_000; step++) {
    const manager = managers[Math.floor(next() * managers.length)]!;
    const data = Object.fromEntries(
      keys.filter(() => next() < 0.5).map((key) => [key, String(Math.floor(next() * 2))]),
    );
    const force = next() < 0.3;
    const others = [...wanted].filter(([name]) => name !== manager);
    const disputed = keys.filter((key) =>
      others.some(
        ([, theirs]) => data[key] !== undefined && theirs[key] !== undefined && theirs[key] !== data[key],
      ),
    );
    const config: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'it' }, data };
    const writer = { manager, operation: 'Apply' as const, subresource: '', apiVersion: 'v1' };
    try {
      const { object, managedFields } = applyConfiguration({
        kind: configMap,
        writer,
        time: '',
        live,
        config,
        force,
      });
      assert.ok(force || disputed.length === 0, `step ${step}: a conflict over ${disputed} was missed`);
      live = { ...object, metadata: { ...object.metadata, ...(managedFields && { managedFields }) } };
    } catch (error) {
      assert.ok(isStatus(error, 'Conflict'), String(error));
      assert.ok(!force && disputed.length > 0, `step ${step}: ${error.message}`);
      continue;
    }
    wanted.set(manager, data);
    for (const [, theirs] of others) for (const key of disputed) delete theirs[key];
    check(live, wanted, step);
  }
});

function check(live: ConfigMap, wanted: ReadonlyMap<string, Record<string, string>>, step: number): void {
  const all = Object.assign({}, ...wanted.values());
  assert.deepEqual({ ...live.data }, all, `step ${step}`);
  const owned = new Map(
    managersIn(live.metadata).map(({ manager, fields }) => [manager, fields['f:data'] ?? {}]),
  );
  for (const [manager, data] of wanted) {
    const fields = Object.keys(owned.get(manager) ?? {}).sort();
    assert.deepEqual(
      fields,
      Object.keys(data)
        .map((key) => `f:${key}`)
        .sort(),
      `step ${step}: ${manager}`,
    );
  }
}
