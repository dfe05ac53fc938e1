// The built-in model server, an isolate: serves the model that the pod mounts at /mnt/models as $MODEL_NAME, or every model
// of the folder that it mounts at $MODEL_REPOSITORY.
import { availableParallelism } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { Metrics } from '../base/metrics.ts';
import { batchRowsMax, latencyBudgetMsMax, withBatching } from './batching.ts';
import { readModelFolder } from './model-folder.ts';
import { openRepository } from './repository.ts';
import { createModelServer } from './server.ts';
import { startSession } from './session.ts';

const mountPath = '/mnt/models';
const mounts = JSON.parse(process.env.SELVAGE_MOUNTS ?? '{}') as Record<string, string>;
const name = process.env.MODEL_NAME ?? 'model';
const threads = Number(process.env.THREADS ?? Math.min(2, availableParallelism()));

const rowsMax = Math.floor(
  numberOf('BATCH_ROWS_MAX', { lowest: 1, highest: batchRowsMax, otherwise: batchRowsMax }),
);
const latencyBudgetMs = numberOf('BATCH_LATENCY_MS', {
  lowest: 0,
  highest: latencyBudgetMsMax,
  otherwise: 0,
});
const metrics = new Metrics();
const version = process.env.SELVAGE_VERSION ?? '';

export default process.env.MODEL_REPOSITORY
  ? await serveRepository(process.env.MODEL_REPOSITORY)
  : await serveModel();

async function serveModel() {
  const { onnx, labels } = await readModelFolder(folderAt(mountPath));
  const session = await start(name, onnx);
  const model = { name, version: process.env.MODEL_VERSION ?? '1', labels, session };
  return createModelServer({ models: [model], metrics, version });
}

/** All models of the folder are loaded; one that can't be is told by the index, and keeps none of the others. */
async function serveRepository(path: string) {
  const repository = openRepository({ folder: folderAt(path), start });
  for (const entry of await repository.index())
    await repository.load(entry.name).catch((error: Error) => console.error(error.message));
  return createModelServer({ models: [], repository, metrics, version });
}

function folderAt(path: string): string {
  return mounts[path] ?? path;
}

async function start(model: string, onnx: Uint8Array) {
  const loaded = await startSession({ onnx, threads });
  const session = await withBatching(loaded, {
    model,
    metrics,
    clock: systemClock,
    rowsMax,
    latencyBudgetMs,
  });
  console.log(
    `model "${model}" loaded: ${onnx.length} bytes of ONNX, ${threads} threads${session === loaded ? '' : `, batches of ${rowsMax}`}`,
  );
  return session;
}

function numberOf(variable: string, bounds: { lowest: number; highest: number; otherwise: number }): number {
  const { lowest, highest, otherwise } = bounds;
  const number = Number(process.env[variable] || otherwise);
  if (number >= lowest && number <= highest) return number;
  throw new Error(
    `$${variable} must be a number from ${lowest} to ${highest}, got "${process.env[variable]}"`,
  );
}
