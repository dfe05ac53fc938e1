import type { ConfigMap } from '../../api/kinds/configMap.ts';
import { isStatus, StatusError } from '../../base/errors.ts';
import type { ReferencedObjects } from '../pods/environment.ts';
import { fieldValue, type NodeFacts, resourceValue } from '../pods/field-reference.ts';
import { mainContainersOf, type PodRecord, type PodSpec } from '../pods/record.ts';

export type Volume = NonNullable<PodSpec['volumes']>[number];

/** A file that a volume shows, by its path in the volume. */
export interface VolumeFile {
  path: string;
  content: Buffer;
  mode: number;
}

/** A token for a service account, bound to a pod; undefined where the API server makes none. */
export type TokenSource = (request: {
  namespace: string;
  serviceAccount: string;
  audience?: string;
  expirationSeconds: number;
  pod: { name: string; uid: string };
}) => Promise<string | undefined>;

export interface FileSources {
  record: PodRecord;
  node: NodeFacts;
  objects: ReferencedObjects;
  token: TokenSource;
  /** The cluster's certificate authority, which stands in for the ConfigMap `kube-root-ca.crt`. */
  caPem: string;
}

interface Item {
  key: string;
  path: string;
  mode?: number | undefined;
}

const defaultMode = 0o644;

/** The files of a configMap, secret, downwardAPI or projected volume; undefined for any other kind. */
export async function volumeFiles(volume: Volume, sources: FileSources): Promise<VolumeFile[] | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) return configMapFiles(configMap, configMap.defaultMode ?? defaultMode, sources);
  if (secret) {
    return secretFiles({ ...secret, name: secret.secretName }, secret.defaultMode ?? defaultMode, sources);
  }
  if (downwardAPI) return downwardFiles(downwardAPI.items, downwardAPI.defaultMode ?? defaultMode, sources);
  if (!projected) return undefined;
  const mode = projected.defaultMode ?? defaultMode;
  const files = (projected.sources ?? []).map((source) => projectedFiles(source, mode, sources));
  return (await Promise.all(files)).flat();
}

type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

function projectedFiles(source: Projection, mode: number, sources: FileSources): Promise<VolumeFile[]> {
  if (source.configMap) return configMapFiles(source.configMap, mode, sources);
  if (source.secret) return secretFiles(source.secret, mode, sources);
  if (source.downwardAPI) return downwardFiles(source.downwardAPI.items, mode, sources);
  if (source.serviceAccountToken) return tokenFiles(source.serviceAccountToken, sources);
  throw new StatusError('Invalid', `projected volume source ${Object.keys(source).join()} is not supported`);
}

interface ObjectSource {
  name?: string | undefined;
  items?: Item[] | undefined;
  optional?: boolean | undefined;
}

async function configMapFiles(
  source: ObjectSource,
  mode: number,
  sources: FileSources,
): Promise<VolumeFile[]> {
  const { record, objects } = sources;
  const name = source.name ?? '';
  // Every pod shows this one: no request for what the node knows.
  const object =
    name === rootCaName
      ? rootCa(sources.caPem)
      : await orMissing(objects.configMap(record.namespace, name), source.optional);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(object?.binaryData ?? {})) {
    data.set(key, Buffer.from(value, 'base64'));
  }
  return pick(data, { ...source, kind: 'configmap', isMissing: !object }, mode);
}

const rootCaName = 'kube-root-ca.crt';
const rootCa = (caPem: string): Pick<ConfigMap, 'data' | 'binaryData'> => ({ data: { 'ca.crt': caPem } });

async function secretFiles(source: ObjectSource, mode: number, sources: FileSources): Promise<VolumeFile[]> {
  const { record, objects } = sources;
  const object = await orMissing(objects.secret(record.namespace, source.name ?? ''), source.optional);
  const data = new Map(
    Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const),
  );
  return pick(data, { ...source, kind: 'secret', isMissing: !object }, mode);
}

function pick(
  data: Map<string, Buffer>,
  source: ObjectSource & { kind: string; isMissing: boolean },
  mode: number,
): VolumeFile[] {
  const all = [...data].map(([key]): Item => ({ key, path: key }));
  return (source.items ?? all).flatMap((item) => {
    const content = data.get(item.key);
    if (content) return [{ path: safePath(item.path), content, mode: item.mode ?? mode }];
    if (source.optional || source.isMissing) return [];
    const message = `references non-existent ${source.kind} key: ${item.key} in "${source.name}"`;
    throw new StatusError('NotFound', message);
  });
}

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

async function downwardFiles(
  items: DownwardItem[] = [],
  mode: number,
  { record, node }: FileSources,
): Promise<VolumeFile[]> {
  return items.map((item) => {
    const text = item.fieldRef
      ? fieldValue(record, node, item.fieldRef.fieldPath)
      : resourceValue(
          record,
          mainContainersOf(record)[0]!,
          node,
          item.resourceFieldRef as { resource: string },
        );
    return { path: safePath(item.path), content: Buffer.from(text), mode: item.mode ?? mode };
  });
}

async function tokenFiles(
  source: { audience?: string | undefined; expirationSeconds?: number | undefined; path: string },
  { record, token }: FileSources,
): Promise<VolumeFile[]> {
  const made = await token({
    namespace: record.namespace,
    serviceAccount: record.pod.spec?.serviceAccountName ?? 'default',
    ...(source.audience && { audience: source.audience }),
    expirationSeconds: source.expirationSeconds ?? 3600,
    pod: { name: record.name, uid: record.uid },
  });
  if (made === undefined) return [];
  return [{ path: safePath(source.path), content: Buffer.from(made), mode: 0o600 }];
}

/** The API server refuses such paths; a node that believed it blindly would write outside the volume. */
function safePath(path: string): string {
  const isUnsafe = path === '' || path.startsWith('/') || path.split('/').includes('..');
  if (isUnsafe)
    throw new StatusError('Invalid', `path "${path}" in a volume must be relative and without ".."`);
  return path;
}

async function orMissing<T>(reading: Promise<T>, optional = false): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (optional && isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}
