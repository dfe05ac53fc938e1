import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { isStatus } from '../base/errors.ts';
import { modelType, packModel, readModel } from './artifact.ts';
import { digestOf } from './digest.ts';
import { readImage } from './image.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { putImage, serveRegistry, temporaryStore } from './testing.ts';

const graph = Buffer.alloc(50_000, 'f');
const weights = (value: number) => Buffer.alloc(80_000, value);

test('a model is read back as it was packed, by reference and by digest', async (t) => {
  const store = await temporaryStore(t);
  const config = { inputs: [{ name: 'x', shape: [-1, 32, 32, 3] }] };
  const descriptor = await packModel({
    store,
    reference: 'models/cifar10:1',
    graph,
    weights: weights(1),
    config,
    annotations: { epochs: '10' },
  });
  for (const name of ['models/cifar10:1', descriptor.digest]) {
    const model = await readModel(store, name);
    assert.deepEqual(model.config, config);
    assert.deepEqual(model.annotations, { epochs: '10' });
    assert.deepEqual([model.graphDigest, model.weightsDigest], [digestOf(graph), digestOf(weights(1))]);
    assert.ok((await readFile(model.paths.graph)).equals(graph));
    assert.ok((await readFile(model.paths.weights)).equals(weights(1)));
  }
  const { manifest } = await readImage(store, 'models/cifar10:1');
  assert.equal(manifest.artifactType, modelType.artifact);
  assert.deepEqual(
    manifest.layers.map((layer) => layer.annotations?.['org.opencontainers.image.title']),
    ['graph.onnx', 'weights.safetensors'],
  );
});

test('of a retrained model only the weights travel', async (t) => {
  const [trainer, registry, edge] = [
    await temporaryStore(t),
    await temporaryStore(t),
    await temporaryStore(t),
  ];
  const { url } = await serveRegistry(t, { store: registry });
  const ship = async (reference: string) => {
    const { bytesSent } = await push({ reference, registry: { url }, from: trainer });
    const { bytesFetched } = await pull({ reference, registry: { url }, into: edge });
    return { bytesSent, bytesFetched };
  };
  const config = { name: 'cifar10' };
  const configBytes = JSON.stringify(config).length;
  await packModel({ store: trainer, reference: 'm:1', graph, weights: weights(1), config });
  const all = graph.length + 80_000 + configBytes;
  assert.deepEqual(await ship('m:1'), { bytesSent: all, bytesFetched: all });

  const { graphDigest } = await readModel(trainer, 'm:1');
  await packModel({
    store: trainer,
    reference: 'm:2',
    graph: { digest: graphDigest },
    weights: weights(2),
    config,
  });
  assert.deepEqual(await ship('m:2'), { bytesSent: 80_000, bytesFetched: 80_000 });

  const [first, second] = [await readModel(edge, 'm:1'), await readModel(edge, 'm:2')];
  assert.equal(first.paths.graph, second.paths.graph);
  assert.ok((await readFile(second.paths.weights)).equals(weights(2)));
});

test('the same model packs to the same digest', async (t) => {
  const model = { reference: 'm:1', graph, weights: weights(1), config: { a: 1 } };
  const first = await packModel({ ...model, store: await temporaryStore(t) });
  const second = await packModel({ ...model, store: await temporaryStore(t) });
  assert.equal(first.digest, second.digest);
});

test('what is no model, or not here, is said to be so', async (t) => {
  const store = await temporaryStore(t);
  await putImage(store, 'app:1', [graph]);
  await assert.rejects(readModel(store, 'app:1'), /expected a model/);
  await assert.rejects(readModel(store, 'gone:1'), (error) => isStatus(error, 'NotFound'));
  await assert.rejects(readModel(store, digestOf('gone')), (error) => isStatus(error, 'NotFound'));
  const packed = packModel({
    store,
    reference: 'm:1',
    graph: { digest: digestOf('x') },
    weights: graph,
    config: {},
  });
  await assert.rejects(packed, (error) => isStatus(error, 'NotFound'));
});
