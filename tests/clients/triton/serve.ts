// A model server for check.py: a dense layer, an image classifier with steps, and one that gives back every datatype.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics } from '../../../src/base/metrics.ts';
import { conv2d, dense, exportModel, flatten, input, rescaling, sequential } from '../../../src/ml/index.ts';
import { identityModel } from '../../../src/serving/fixtures/identity-model.ts';
import { createGrpcServer } from '../../../src/serving/grpc/listen.ts';
import { createHttpServer } from '../../../src/serving/listen.ts';
import { openRepository } from '../../../src/serving/repository.ts';
import { createModelServer } from '../../../src/serving/server.ts';
import { startSession } from '../../../src/serving/session.ts';

const folder = await mkdtemp(join(tmpdir(), 'triton-'));
const image = sequential(
  [input([32, 32, 3], { dtype: 'uint8' }), rescaling(1 / 255), conv2d(4, 3), flatten(), dense(10)],
  { seed: 1 },
);
await store('plain', exportModel(sequential([input([4]), dense(3)], { seed: 1 })));
await store(
  'vision',
  exportModel(image, {
    labels: Array.from({ length: 10 }, (_, i) => `class ${i}`),
    preprocess: [{ op: 'decode' }, { op: 'resize', height: 32, width: 32 }],
    postprocess: [{ op: 'softmax' }, { op: 'topK', k: 3 }, { op: 'labels' }],
  }),
);
await mkdir(join(folder, 'types'));
await writeFile(join(folder, 'types', 'model.onnx'), identityModel());

const repository = openRepository({ folder, start: (_name, onnx) => startSession({ onnx, threads: 1 }) });
for (const { name } of await repository.index()) await repository.load(name);
const server = createModelServer({ models: [], repository, metrics: new Metrics(), version: '0' });
const listeners = [createHttpServer(server.handle), createGrpcServer(server)];
const ports = await Promise.all(
  listeners.map((listener) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    listener.listen(0, '127.0.0.1', () => resolve((listener.address() as AddressInfo).port));
    return promise;
  }),
);
console.log(ports.join(' '));

async function store(
  name: string,
  { graph, weights, metadata }: ReturnType<typeof exportModel>,
): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, 'graph.onnx'), graph);
  await writeFile(join(folder, name, 'weights.safetensors'), weights);
  await writeFile(join(folder, name, 'config.json'), JSON.stringify(metadata));
}
