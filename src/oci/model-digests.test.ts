import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { packModel } from './artifact.ts';
import { buildImage } from './build.ts';
import type { ContentStore } from './content-store.ts';
import { digestOf } from './digest.ts';
import { modelDigests } from './model-digests.ts';
import { temporaryFolder, temporaryStore } from './testing.ts';

const dockerfile = 'FROM scratch\nCOPY graph.onnx config.json /\nCOPY weights.safetensors /\n';

async function build(t: TestContext, store: ContentStore, files: Record<string, string>): Promise<void> {
  const contextDir = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) await writeFile(join(contextDir, name), text);
  await buildImage({ contextDir, store, tag: 'models/mine:v1' });
}

test('an artifact and a built image say which graph and which weights they hold', async (t) => {
  const store = await temporaryStore(t);
  const [graph, weights] = [Buffer.from('f'), Buffer.from('θ')];
  const digests = { graph: digestOf(graph), weights: digestOf(weights) };
  const { digest } = await packModel({ store, reference: 'm:1', graph, weights, config: {} });
  assert.deepEqual(await modelDigests(store, 'm:1'), { digest, ...digests });
  const files = {
    Dockerfile: dockerfile,
    'graph.onnx': 'f',
    'config.json': '{}',
    'weights.safetensors': 'θ',
  };
  await build(t, store, files);
  const built = await modelDigests(store, 'models/mine:v1');
  assert.deepEqual([built.graph, built.weights], [digests.graph, digests.weights]);
  // Other metadata change the layer that has the graph, and not the graph.
  await build(t, store, { ...files, 'config.json': '{"loss":1}', 'weights.safetensors': 'θ2' });
  const next = await modelDigests(store, 'models/mine:v1');
  assert.equal(next.graph, digests.graph);
  assert.equal(next.weights, digestOf('θ2'));
  assert.notEqual(next.digest, built.digest);
});

test('of several layers the uppermost that has a file counts, and a file elsewhere is another one', async (t) => {
  const store = await temporaryStore(t);
  const more = `${dockerfile}COPY config.json /graph.onnx\nCOPY graph.onnx /other/weights.safetensors\n`;
  const files = { Dockerfile: more, 'graph.onnx': 'f', 'config.json': 'g', 'weights.safetensors': 'θ' };
  await build(t, store, files);
  const { graph, weights } = await modelDigests(store, 'models/mine:v1');
  assert.deepEqual([graph, weights], [digestOf('g'), digestOf('θ')]);
});

test('a model of one file has no graph of its own', async (t) => {
  const store = await temporaryStore(t);
  await build(t, store, { Dockerfile: 'FROM scratch\nCOPY model.onnx /\n', 'model.onnx': 'f' });
  const { graph, weights } = await modelDigests(store, 'models/mine:v1');
  assert.deepEqual([graph, weights], [undefined, undefined]);
});
