import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { readImage, writeManifest } from './image.ts';
import type { Descriptor, Manifest } from './manifest.ts';
import { mediaType } from './media-types.ts';

/** A model y = f(x; θ) as an OCI artifact: metadata, the graph f and the weights θ, each a blob of its own. */
export const modelType = {
  artifact: 'application/vnd.selvage.model.v1',
  config: 'application/vnd.selvage.model.config.v1+json',
  graph: 'application/vnd.selvage.model.graph.v1+onnx',
  weights: 'application/vnd.selvage.model.weights.v1+safetensors',
} as const;

const titleAnnotation = 'org.opencontainers.image.title';

type Content = Uint8Array | AsyncIterable<Uint8Array>;

export interface Model {
  descriptor: Descriptor;
  /** The model's metadata, as it was packed. */
  config: Record<string, unknown>;
  annotations: Record<string, string>;
  graphDigest: string;
  weightsDigest: string;
  /** Files in the store; they never change, so they may be mapped into memory. */
  paths: { graph: string; weights: string };
}

/**
 * Stores a model and names it. The graph of a retrained model is the same blob as before, so a push or pull of it
 * moves only the weights; pass its digest instead of its bytes where it is in the store already.
 */
export async function packModel(options: {
  store: ContentStore;
  reference: string;
  graph: Content | { digest: string };
  weights: Content;
  config: Record<string, unknown>;
  annotations?: Record<string, string>;
}): Promise<Descriptor> {
  const { store } = options;
  const config = await store.put(Buffer.from(JSON.stringify(options.config)));
  const graph =
    'digest' in options.graph ? await stored(store, options.graph.digest) : await store.put(options.graph);
  const weights = await store.put(options.weights);
  const descriptor = await writeManifest(store, {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    artifactType: modelType.artifact,
    config: { mediaType: modelType.config, ...config },
    layers: [
      { mediaType: modelType.graph, ...graph, annotations: { [titleAnnotation]: 'graph.onnx' } },
      { mediaType: modelType.weights, ...weights, annotations: { [titleAnnotation]: 'weights.safetensors' } },
    ],
    ...(options.annotations && { annotations: options.annotations }),
  });
  await store.name(options.reference, descriptor);
  return descriptor;
}

/** Finds a model in the store, by reference or by its manifest's digest; anything but a model is `Invalid`. */
export async function readModel(store: ContentStore, referenceOrDigest: string): Promise<Model> {
  const isDigest = referenceOrDigest.startsWith('sha256:');
  const image = await readImage(
    store,
    isDigest
      ? { mediaType: mediaType.ociManifest, ...(await stored(store, referenceOrDigest)) }
      : referenceOrDigest,
  );
  const { manifest, descriptor } = image;
  if (manifest.artifactType !== modelType.artifact) {
    const what = manifest.artifactType ?? manifest.config.mediaType;
    throw new StatusError(
      'Invalid',
      `${referenceOrDigest} is ${what}, expected a model, ${modelType.artifact}`,
    );
  }
  const graphDigest = only(manifest, modelType.graph, referenceOrDigest);
  const weightsDigest = only(manifest, modelType.weights, referenceOrDigest);
  return {
    descriptor,
    // `readImage` reads whatever JSON the config holds; that of a model is a plain object.
    config: image.config as unknown as Record<string, unknown>,
    annotations: manifest.annotations ?? {},
    graphDigest,
    weightsDigest,
    paths: { graph: store.path(graphDigest), weights: store.path(weightsDigest) },
  };
}

function only(manifest: Manifest, type: string, name: string): string {
  const [found, ...more] = manifest.layers.filter((layer) => layer.mediaType === type);
  if (found && more.length === 0) return found.digest;
  throw new StatusError(
    'Invalid',
    `${name} has ${found ? more.length + 1 : 0} blobs of type ${type}, expected one`,
  );
}

async function stored(store: ContentStore, digest: string): Promise<{ digest: string; size: number }> {
  await store.touch(digest);
  const size = await store.stat(digest);
  if (size !== undefined) return { digest, size };
  throw new StatusError('NotFound', `blob ${digest} is not in the local store`);
}
