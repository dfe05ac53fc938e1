import { StatusError } from '../base/errors.ts';
import { isDigest } from './digest.ts';
import { isIndexType, isManifestType, mediaType } from './media-types.ts';

/** Points at content: OCI image-spec `descriptor.md`; `size` is in bytes. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: Platform;
  urls?: string[];
}

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

export interface Manifest {
  schemaVersion: 2;
  mediaType: string;
  artifactType?: string;
  config: Descriptor;
  layers: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

export interface Index {
  schemaVersion: 2;
  mediaType: string;
  artifactType?: string;
  manifests: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

export const manifestBytesMax: number = 4 * 1024 * 1024;
const descriptorsMax = 10_000;

export const isIndex = (content: Manifest | Index): content is Index => 'manifests' in content;

/**
 * Reads and checks a manifest or index. `declaredType` is the media type that its transport named, if any; it
 * must agree with the content. Anything malformed is an `Invalid` that says what is wrong.
 */
export function decodeManifest(bytes: Uint8Array, declaredType?: string): Manifest | Index {
  const content = parseObject(bytes);
  const type = typeOf(content, declaredType);
  if (content.schemaVersion !== 2) throw invalid(`schemaVersion is ${content.schemaVersion}, expected 2`);
  if (content.subject !== undefined) checkDescriptor(content.subject, 'subject');
  if (isIndexType(type)) {
    checkDescriptors(content.manifests, 'manifests');
  } else {
    checkDescriptor(content.config, 'config');
    checkDescriptors(content.layers, 'layers');
  }
  // The checks above established every field that these types promise.
  return { ...content, mediaType: type } as unknown as Manifest | Index;
}

/** The content that a manifest or index needs, without its subject (which may come later or never). */
export function neededBy(content: Manifest | Index): Descriptor[] {
  return isIndex(content) ? content.manifests : [content.config, ...content.layers];
}

/** What `artifactType` a referrers listing shows for a manifest (distribution-spec, "Listing Referrers"). */
export function artifactTypeOf(content: Manifest | Index): string | undefined {
  return content.artifactType || (isIndex(content) ? undefined : content.config.mediaType);
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > manifestBytesMax) throw invalid(`it is larger than ${manifestBytesMax} bytes`);
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid('it is not a JSON object');
  }
  return content as Record<string, unknown>;
}

function typeOf(content: Record<string, unknown>, declared: string | undefined): string {
  const own = content.mediaType;
  if (own !== undefined && declared !== undefined && own !== declared) {
    throw invalid(`it says mediaType ${JSON.stringify(own)} but was sent as "${declared}"`);
  }
  const implied = Array.isArray(content.manifests) ? mediaType.ociIndex : mediaType.ociManifest;
  const type = own ?? declared ?? implied;
  if (typeof type !== 'string' || !(isIndexType(type) || isManifestType(type))) {
    throw invalid(
      `media type ${JSON.stringify(type)} is not an OCI manifest or index, nor Docker's version 2 schema 2`,
    );
  }
  return type;
}

function checkDescriptors(value: unknown, field: string): void {
  if (!Array.isArray(value)) throw invalid(`${field} is not a list`);
  if (value.length > descriptorsMax) throw invalid(`${field} has more than ${descriptorsMax} entries`);
  value.forEach((each, at) => {
    checkDescriptor(each, `${field}[${at}]`);
  });
}

function checkDescriptor(value: unknown, field: string): void {
  if (typeof value !== 'object' || value === null) throw invalid(`${field} is not a descriptor`);
  const { mediaType: type, digest, size } = value as Record<string, unknown>;
  if (typeof type !== 'string' || type === '') throw invalid(`${field}.mediaType is missing`);
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw invalid(`${field}.digest ${JSON.stringify(digest)} is not a sha256 digest`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${field}.size ${JSON.stringify(size)} is not a number of bytes`);
  }
}

function invalid(why: string, cause?: unknown): StatusError {
  return new StatusError('Invalid', `invalid manifest: ${why}`, { cause });
}
