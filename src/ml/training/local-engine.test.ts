import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sparseCategoricalAccuracy } from '../metrics/metric.ts';
import type { Runtime } from '../runtime.ts';
import { tensor } from '../tensor.ts';
import type { BatchLogs, Examples, TrainJob } from './engine.ts';
import { localEngine } from './local-engine.ts';

const one = (value: number) => tensor(Float32Array.of(value), []);

/** A runtime that counts its sessions; every batch has loss 1 and half its answers right. */
function countingRuntime() {
  const open = new Set<string>();
  const runtime: Runtime = {
    async open(model) {
      const name = new TextDecoder().decode(model);
      open.add(name);
      return {
        async run({ y, weights }) {
          // Class 0 for every other example, class 1 for the others; all are of class 0.
          const count = y!.data.length;
          const output = tensor(
            Float32Array.from({ length: 2 * count }, (_, at) => +(at % 4 === 0 || at % 4 === 3)),
            [count, 2],
          );
          return { loss: one(1), output, next_weights: weights! };
        },
        async release() {
          open.delete(name);
        },
      };
    },
  };
  return { open, runtime };
}

const program = (id: string) => ({ id, bytes: new TextEncoder().encode(id) });
const examples: Examples = { x: tensor(new Float32Array(100), [100, 1]), y: new Int32Array(100) };
const weights = new Float32Array(1);
const metrics = [sparseCategoricalAccuracy({ name: 'accuracy' })];

test('an engine keeps four sessions at most, and none once closed', async () => {
  const { open, runtime } = countingRuntime();
  const engine = localEngine(runtime);
  for (const id of ['a', 'b', 'c', 'd', 'e', 'e']) {
    await engine.evaluate({ program: program(id), weights, examples, batchSize: 10, metrics });
  }
  assert.deepEqual([...open], ['b', 'c', 'd', 'e']);
  await engine.close();
  assert.equal(open.size, 0);
});

const job: TrainJob = {
  program: program('train'),
  slots: [],
  state: { weights, slots: [], iteration: 0 },
  examples,
  metrics,
  epochs: 2,
  batchSize: 2,
  shuffle: true,
  seed: 0,
  learningRate: 0.1,
};

test('batches are reported at most every 50 ms, and always the last of an epoch', async () => {
  let nowMs = 0;
  const engine = localEngine(countingRuntime().runtime, { now: () => (nowMs += 12) });
  const reports: BatchLogs[] = [];
  const state = await engine.train(job, {
    onBatch: (logs) => reports.push(logs) > 0,
    onEpoch: async () => ({ goOn: true }),
  });
  assert.ok(reports.length < 40, `${reports.length} reports of 100 batches`);
  assert.deepEqual(
    [0, 1].map((epoch) => reports.filter((logs) => logs.epoch === epoch).at(-1)),
    [0, 1].map((epoch) => ({ epoch, seen: 100, loss: 1, accuracy: 0.5 })),
  );
  assert.equal(state.iteration, 100);
});
