// The built-in model server, an isolate: serves the model that the pod mounts at /mnt/models as $MODEL_NAME.
import { availableParallelism } from 'node:os';
import { Metrics } from '../base/metrics.ts';
import { readModelFolder } from './model-folder.ts';
import { createModelServer } from './server.ts';
import { startSession } from './session.ts';

const mountPath = '/mnt/models';
const mounts = JSON.parse(process.env.SELVAGE_MOUNTS ?? '{}') as Record<string, string>;
const name = process.env.MODEL_NAME ?? 'model';
const threads = Number(process.env.THREADS ?? Math.min(2, availableParallelism()));

const { onnx, labels } = await readModelFolder(mounts[mountPath] ?? mountPath);
const session = await startSession({ onnx, threads });
console.log(`model "${name}" loaded: ${onnx.length} bytes of ONNX, ${threads} threads`);

export default createModelServer({
  models: [{ name, version: process.env.MODEL_VERSION ?? '1', labels, session }],
  metrics: new Metrics(),
  version: process.env.SELVAGE_VERSION ?? '',
});
