import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import {
  type Descriptor,
  decodeManifest,
  isIndex,
  type Manifest,
  manifestBytesMax,
  type Platform,
} from './manifest.ts';
import { mediaType } from './media-types.ts';
import { formatReference, type Reference } from './reference.ts';

/** OCI image-spec `config.md`; only the fields that this project reads or writes. */
export interface ImageConfig {
  created?: string;
  author?: string;
  architecture: string;
  os: string;
  variant?: string;
  config?: {
    User?: string;
    ExposedPorts?: Record<string, Record<string, never>>;
    Env?: string[];
    Entrypoint?: string[];
    Cmd?: string[];
    Volumes?: Record<string, Record<string, never>>;
    WorkingDir?: string;
    Labels?: Record<string, string>;
    StopSignal?: string;
  };
  rootfs: { type: 'layers'; diff_ids: string[] };
  history?: { created?: string; created_by?: string; empty_layer?: boolean }[];
}

export interface Image {
  /** Of the manifest that fits the platform; its digest names the image's content. */
  descriptor: Descriptor;
  manifest: Manifest;
  config: ImageConfig;
}

export const runtimeLabel = 'dev.selvage.runtime';
export const entryLabel = 'dev.selvage.entry';

/** Whether the image is a module for the isolate runtime rather than a Linux root file system. */
export function isIsolate(config: ImageConfig): boolean {
  return config.config?.Labels?.[runtimeLabel] === 'isolate';
}

/** The isolate's module as an absolute path in the image, such as `/app/src/server.ts`. */
export function isolateEntry(config: ImageConfig): string {
  const { Labels, Entrypoint = [], Cmd = [] } = config.config ?? {};
  const entry = Labels?.[entryLabel] ?? [...Entrypoint, ...Cmd].find((word) => /\.[cm]?[jt]s$/.test(word));
  if (entry?.startsWith('/')) return entry;
  throw new StatusError(
    'Invalid',
    `the image does not say which module to run: set its label ${entryLabel} to an absolute path`,
  );
}

/** Node's name of this machine's processor in OCI (that is, Go) terms. */
export function hostPlatform(): Platform {
  const architecture = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
  return { os: 'linux', architecture };
}

/** The bytes of all that a pull brings, but for the manifest. */
export const imageBytes = ({ manifest }: Image): number =>
  [manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0);

/** Reads an image's manifest (of an index, the one for `platform`) and its configuration. */
export async function readImage(
  store: ContentStore,
  image: Reference | string | Descriptor,
  platform: Platform = hostPlatform(),
): Promise<Image> {
  const root = isDescriptor(image) ? image : await store.resolve(image);
  if (!root) {
    const name = typeof image === 'string' ? image : formatReference(image as Reference);
    throw new StatusError('NotFound', `image ${name} is not in the local store; build or pull it first`);
  }
  const { descriptor, manifest } = await manifestFor(store, root, platform);
  // Image-spec: whoever made the manifest made this configuration; the runtime checks what it uses.
  const config = JSON.parse((await store.read(manifest.config.digest)).toString('utf8')) as ImageConfig;
  return { descriptor, manifest, config };
}

/** Stores an image's configuration and manifest, as canonical JSON, and gives the manifest's descriptor. */
export async function writeImage(
  store: ContentStore,
  image: { config: ImageConfig; layers: Descriptor[]; annotations?: Record<string, string> },
): Promise<Descriptor> {
  const config = Buffer.from(JSON.stringify(image.config));
  const { digest, size } = await store.put(config);
  return writeManifest(store, {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest, size },
    layers: image.layers,
    ...(image.annotations && { annotations: image.annotations }),
  });
}

export async function writeManifest(store: ContentStore, manifest: Manifest): Promise<Descriptor> {
  const stored = await store.put(Buffer.from(JSON.stringify(manifest)));
  return { mediaType: manifest.mediaType, ...stored };
}

/** The entry of an index that fits: same system and processor, and the variant if one is asked for. */
export function choosePlatform(manifests: Descriptor[], wanted: Platform): Descriptor {
  const fits = manifests.find(
    ({ platform }) =>
      platform?.os === wanted.os &&
      platform.architecture === wanted.architecture &&
      (wanted.variant === undefined || platform.variant === wanted.variant),
  );
  const chosen = fits ?? (manifests.length === 1 && !manifests[0]!.platform ? manifests[0] : undefined);
  if (chosen) return chosen;
  const offered = manifests.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`);
  throw new StatusError(
    'NotFound',
    `the image has no variant for ${wanted.os}/${wanted.architecture}, only for ${offered.join(', ') || 'nothing'}`,
  );
}

/** An index may hold an index; deeper nesting than this has no use and may be a loop. */
const nestingMax = 3;

async function manifestFor(
  store: ContentStore,
  root: Descriptor,
  platform: Platform,
): Promise<{ descriptor: Descriptor; manifest: Manifest }> {
  let descriptor = root;
  for (let depth = 0; depth <= nestingMax; depth++) {
    const bytes = await store.read(descriptor.digest, manifestBytesMax);
    const content = decodeManifest(bytes, descriptor.mediaType);
    if (!isIndex(content)) return { descriptor, manifest: content };
    descriptor = choosePlatform(content.manifests, platform);
  }
  throw new StatusError('Invalid', `image index ${root.digest} is nested more than ${nestingMax} deep`);
}

function isDescriptor(image: Reference | string | Descriptor): image is Descriptor {
  return typeof image === 'object' && 'mediaType' in image;
}
