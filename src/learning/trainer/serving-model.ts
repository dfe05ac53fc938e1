import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { BatchSource, Loss, Tensor } from '../../ml/index.ts';
import type { RegistryEndpoint } from '../../oci/registry-client.ts';
import type { Tensor as Served } from '../../serving/datatype.ts';
import { takeExamples } from './split-examples.ts';
import { metricSpec } from './trained-model.ts';
import type { Examples } from './training-data.ts';

const ociScheme = 'oci://';
const batchRows = 64;

/** Brings a model out of the registry into a folder, as a model server sees it. */
export async function fetchModel(
  storageUri: string,
  options: { registry: RegistryEndpoint; folder: string; clock: Clock },
): Promise<string> {
  if (!storageUri.startsWith(ociScheme))
    throw new Error(`"${storageUri}" is not in the registry of the cluster (${ociScheme}…)`);
  const { registry, folder, clock } = options;
  const reference = storageUri.slice(ociScheme.length);
  const { parseReference } = await import('../../oci/reference.ts');
  if (parseReference(reference).host !== undefined)
    throw new Error(`"${storageUri}" is in another registry than that of the cluster`);
  const { ContentStore } = await import('../../oci/content-store.ts');
  const { pull } = await import('../../oci/pull.ts');
  const { readImage } = await import('../../oci/image.ts');
  const { modelType, readModel } = await import('../../oci/artifact.ts');
  const store = await ContentStore.open(join(folder, 'incoming'), { clock });
  await pull({ reference, registry, into: store, clock });
  const image = await readImage(store, reference);
  if (image.manifest.artifactType !== modelType.artifact) {
    const { unpackImage } = await import('../../oci/unpack.ts');
    return unpackImage(store, image, { use: 'isolate', folder: join(folder, 'incoming') });
  }
  const { paths } = await readModel(store, reference);
  const shown = join(folder, 'serving');
  await mkdir(shown, { recursive: true });
  await copyFile(paths.graph, join(shown, 'graph.onnx'));
  await copyFile(paths.weights, join(shown, 'weights.safetensors'));
  return shown;
}

/** The model in a folder with its weights, as one ONNX file. */
export async function readServing(folder: string): Promise<Uint8Array> {
  const { readModelFolder } = await import('../../serving/model-folder.ts');
  return (await readModelFolder(folder)).onnx;
}

/** One metric of an ONNX model on a test set, counted as that of the model that was trained. */
export async function measureServing(
  onnx: Uint8Array,
  test: Examples | BatchSource,
  options: { metric: string; loss: Loss; threads: number },
): Promise<number> {
  const { metric, loss, threads } = options;
  const { startSession } = await import('../../serving/session.ts');
  const { accumulatorOf } = await import('../../ml/metrics/accumulator.ts');
  const session = await startSession({ onnx, threads, inlineMsMax: 0 });
  try {
    const [input, ...others] = session.inputs;
    if (!input || others.length > 0)
      throw new Error(`it takes ${session.inputs.length} inputs, the data have one`);
    const counted: { spec?: ReturnType<typeof accumulatorOf> } = {};
    for await (const { x, y } of batchesOf(test)) {
      const outputs = await session.run({ [input.name]: fitted(x, input) });
      const first = outputs[session.outputs[0]!.name]!;
      const count = x.shape[0]!;
      const width = first.data.length / count;
      counted.spec ??= accumulatorOf(await metricSpec(metric, loss, width));
      // Models of this library and of Keras give float32; class numbers come as int32, values as float32.
      const data = first.data as Float32Array;
      counted.spec.update({ count, width, outputs: data, targets: y.data as Int32Array | Float32Array });
    }
    if (!counted.spec) throw new Error('the test set is empty');
    return counted.spec.result();
  } finally {
    await session.close();
  }
}

/** The examples as the model in service takes them. */
function fitted({ dtype, shape, data }: Tensor, input: { datatype: string; shape: number[] }): Served {
  const wanted = input.shape.slice(1);
  const isAlike =
    wanted.length === shape.length - 1 && wanted.every((dim, axis) => dim < 0 || dim === shape[axis + 1]);
  if (!isAlike) throw new Error(`it takes [${input.shape.join(', ')}], the data are [${shape.join(', ')}]`);
  const named = ({ uint8: 'UINT8', int32: 'INT32', float32: 'FP32' } as const)[dtype as 'uint8'];
  if (named === input.datatype) return { datatype: named, shape, data };
  if (input.datatype === 'FP32')
    return { datatype: 'FP32', shape, data: Float32Array.from(data as Float32Array) };
  throw new Error(`it takes ${input.datatype}, the data are ${named ?? dtype}`);
}

async function* batchesOf(test: Examples | BatchSource): AsyncGenerator<{ x: Tensor; y: Tensor }> {
  if ('batches' in test) {
    yield* test.batches({ epoch: 0, fromBatch: 0 });
    return;
  }
  const count = test.x.shape[0]!;
  for (let from = 0; from < count; from += batchRows) {
    const { x, y } = takeExamples(test, from, batchRows);
    const labels =
      'shape' in y ? y : { dtype: 'int32' as const, shape: [y.length], data: Int32Array.from(y) };
    yield { x, y: labels };
  }
}
