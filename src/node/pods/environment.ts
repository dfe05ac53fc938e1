import type { ConfigMap } from '../../api/kinds/configMap.ts';
import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import type { Secret } from '../../api/kinds/secret.ts';
import { isStatus, StatusError } from '../../base/errors.ts';
import { expand } from './expansion.ts';
import { fieldValue, type NodeFacts, resourceValue } from './field-reference.ts';
import type { Container, PodRecord } from './record.ts';
import { type LinkedService, serviceVariables } from './service-links.ts';

/** Reads the ConfigMaps and Secrets that a pod refers to; a missing one is `NotFound`. */
export interface ReferencedObjects {
  configMap(namespace: string, name: string): Promise<ConfigMap>;
  secret(namespace: string, name: string): Promise<Secret>;
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim>;
  persistentVolume(name: string): Promise<PersistentVolume>;
}

type EnvVar = NonNullable<Container['env']>[number];

/** Computes a container's environment: the image's, the Services, then `envFrom`, then `env`, with `$(NAME)` expanded. */
export async function environment(options: {
  record: PodRecord;
  container: Container;
  imageEnv: string[];
  node: NodeFacts;
  objects: ReferencedObjects;
  services?: readonly LinkedService[];
}): Promise<Record<string, string>> {
  const { container, imageEnv, record, services = [] } = options;
  const values: Record<string, string> = {
    HOSTNAME: options.record.pod.spec?.hostname ?? options.record.name,
  };
  for (const line of imageEnv) {
    const at = line.indexOf('=');
    if (at > 0) values[line.slice(0, at)] = line.slice(at + 1);
  }
  const enableServiceLinks = record.pod.spec?.enableServiceLinks ?? true;
  Object.assign(values, serviceVariables(services, { namespace: record.namespace, enableServiceLinks }));
  for (const source of container.envFrom ?? []) {
    const data = await wholeObject(options, source);
    for (const [key, value] of Object.entries(data)) {
      if (isEnvName(key)) values[`${source.prefix ?? ''}${key}`] = value;
    }
  }
  for (const variable of container.env ?? []) {
    const value = await valueFor(options, variable, values);
    if (value !== undefined) values[variable.name] = value;
  }
  return values;
}

/** A ConfigMap's or Secret's whole text content; empty if it is optional and missing. */
async function wholeObject(
  { record, objects }: { record: PodRecord; objects: ReferencedObjects },
  source: NonNullable<Container['envFrom']>[number],
): Promise<Record<string, string>> {
  const { configMapRef, secretRef } = source;
  const optional = configMapRef?.optional ?? secretRef?.optional ?? false;
  const read = async () => {
    if (configMapRef) return (await objects.configMap(record.namespace, configMapRef.name ?? '')).data ?? {};
    if (secretRef) return decoded((await objects.secret(record.namespace, secretRef.name ?? '')).data);
    return {};
  };
  return (await orMissing(read(), optional)) ?? {};
}

async function valueFor(
  options: Parameters<typeof environment>[0],
  variable: EnvVar,
  values: Record<string, string>,
): Promise<string | undefined> {
  const { record, container, node, objects } = options;
  const source = variable.valueFrom;
  if (!source) return expand(variable.value ?? '', values);
  if (source.fieldRef) return fieldValue(record, node, source.fieldRef.fieldPath);
  if (source.resourceFieldRef) {
    return resourceValue(record, container, node, source.resourceFieldRef as { resource: string });
  }
  const reference = source.configMapKeyRef ?? source.secretKeyRef;
  if (!reference) return '';
  const { name = '', key, optional = false } = reference;
  const kind = source.configMapKeyRef ? 'ConfigMap' : 'Secret';
  const read = async () =>
    source.configMapKeyRef
      ? (await objects.configMap(record.namespace, name)).data?.[key]
      : decoded((await objects.secret(record.namespace, name)).data)[key];
  const value = await orMissing(read(), optional);
  if (value === undefined && !optional) {
    throw new StatusError('NotFound', `couldn't find key ${key} in ${kind} ${record.namespace}/${name}`);
  }
  return value;
}

async function orMissing<T>(reading: Promise<T>, optional: boolean): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (optional && isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

const isEnvName = (name: string): boolean => name !== '' && !name.includes('=') && !name.includes('\0');

/** A Secret's data as text: values travel in base64. */
function decoded(data: Record<string, string> = {}): Record<string, string> {
  const entries = Object.entries(data).map(([key, value]) => [
    key,
    Buffer.from(value, 'base64').toString('utf8'),
  ]);
  return Object.fromEntries(entries);
}
