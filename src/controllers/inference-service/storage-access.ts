import { configMap as configMapKind } from '../../api/kinds/configMap.ts';
import type { InferenceService, ModelSpec } from '../../api/kinds/inferenceService.ts';
import { type Secret, secret as secretKind } from '../../api/kinds/secret.ts';
import { serviceAccount as serviceAccountKind } from '../../api/kinds/serviceAccount.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import type { Container } from '../../api/parts/container.ts';
import { isStatus } from '../../base/errors.ts';
import type { Client } from '../../client/client.ts';
import { invalid, type Refusal } from './refusal.ts';
import { fromSecret, plain, type S3Access, s3AccessOf } from './s3-secret.ts';

/** What the init container needs to fetch a model. */
export interface StorageAccess {
  uri: string;
  env: NonNullable<Container['env']>;
  /** `host:port` that it must reach. */
  egress: string;
  /** A ConfigMap of the namespace, and its key, with authorities to trust. */
  ca: { configMap: string; file: string } | undefined;
}

/** How often credentials that are not there yet are looked for again. */
export const accessLookMs = 10_000;

const systemNamespace = 'kserve';
/** KServe's ConfigMap of settings, and the copy of its authorities in each namespace that needs them. */
const settingsName = 'inferenceservice-config';
const caCopyName = 'global-ca-bundle';
const caFileDefault = 'cabundle.crt';
const storageSecretDefault = 'storage-config';
const storageSecretAnnotation = 'serving.kserve.io/storageSecretName';
const at = 'spec.predictor.model';

/**
 * Reads what there is to fetch the predictor's model with, where it has to be fetched: the Secrets of its ServiceAccount, or the
 * one that `model.storage` means, and the authorities of the cluster's settings. Source: KServe, `CredentialBuilder`.
 */
export async function storageAccess(
  client: Client,
  inference: InferenceService,
): Promise<StorageAccess | Refusal | undefined> {
  const { model, serviceAccountName } = inference.spec?.predictor ?? {};
  const namespace = inference.metadata?.namespace ?? '';
  const isFetched = model?.storage || /^(s3|gs|https?):\/\//.test(model?.storageUri ?? '');
  if (!model || !isFetched) return undefined;
  const reader = new Reader(client, namespace);
  const secretName = inference.metadata?.annotations?.[storageSecretAnnotation];
  const found = model.storage
    ? fromStorage(
        model.storage,
        await reader.find(secretKind, secretName ?? storageSecretDefault),
        secretName,
      )
    : fromSecrets(model, await reader.secretsOf(secretName, serviceAccountName));
  if ('reason' in found || found.ca) return found;
  const configMap = await reader.authorities();
  return { ...found, ca: configMap === undefined ? undefined : { configMap, file: caFileDefault } };
}

function fromSecrets(
  { storageUri: uri = '' }: ModelSpec,
  secrets: (Secret | string)[],
): StorageAccess | Refusal {
  const missing = secrets.find((each) => typeof each === 'string');
  if (missing !== undefined) return invalid(`${at}.storageUri: secrets "${missing}" not found`);
  // What is missing is a name.
  const present = secrets as Secret[];
  if (/^https?:/.test(uri)) return fromHttp(uri, present);
  const [s3] = present.flatMap((each) => s3AccessOf(each) ?? []);
  return fromS3(uri, s3);
}

function fromHttp(uri: string, secrets: Secret[]): StorageAccess {
  const { hostname, host } = new URL(uri);
  const own = secrets.find(({ data }) => [hostname, host].includes(textOf(data?.['https-host'])));
  const env = own?.data?.headers ? [fromSecret('STORAGE_HEADERS', own.metadata?.name, 'headers')] : [];
  return { uri, env, egress: hostOf(uri), ca: undefined };
}

function fromS3(uri: string, s3: S3Access | undefined): StorageAccess | Refusal {
  if (s3?.isUnverified)
    return invalid(
      `${at}.storageUri: the Secret's annotation serving.kserve.io/s3-verifyssl: "0" is not offered: name a ConfigMap with the server's authority in serving.kserve.io/s3-cabundle-configmap`,
    );
  const own = uri.startsWith('gs:') ? 'https://storage.googleapis.com' : undefined;
  const endpoint = s3?.endpoint ?? own ?? `https://s3.${s3?.region ?? 'us-east-1'}.amazonaws.com`;
  const env = [...(s3?.env ?? []), ...(s3?.endpoint ? [] : plain('AWS_ENDPOINT_URL', own))];
  const bucket = new URL(uri).host;
  const egress = s3?.isVirtualHosted ? `${bucket}.${hostOf(endpoint)}` : hostOf(endpoint);
  const { caConfigMap: configMap, caFile } = s3 ?? {};
  const file = caFile?.split('/').at(-1) || caFileDefault;
  return { uri, env, egress, ca: configMap ? { configMap, file } : undefined };
}

/** `model.storage`: an entry of a Secret, each the JSON of one place, and parameters that come before what it says. */
function fromStorage(
  { key, path = '', parameters = {} }: NonNullable<ModelSpec['storage']>,
  secret: Secret | undefined,
  secretName = storageSecretDefault,
): StorageAccess | Refusal {
  const entry = key || ['default', parameters.type].filter(Boolean).join('_');
  const text = secret?.data?.[entry];
  if (key && !secret) return invalid(`${at}.storage.key: can't read storage secret ${secretName}: not found`);
  if (key && text === undefined)
    return invalid(
      `${at}.storage.key: specified storage key ${key} not found in storage secret ${secretName}`,
    );
  const said = jsonOf(text);
  if (!said)
    return invalid(`${at}.storage: invalid json encountered in key ${entry} of storage secret ${secretName}`);
  const { type, bucket, endpoint_url, region, cabundle_configmap } = { ...said, ...parameters };
  if (!type) return invalid(`${at}.storage: unable to determine storage type`);
  if (type !== 's3')
    return invalid(
      `${at}.storage: storage type must be one of [s3]. storage type [${type}] is not supported`,
    );
  if (!bucket)
    return invalid(
      `${at}.storage: format [s3] requires a bucket but one wasn't found in storage data or parameters`,
    );
  const endpoint = endpoint_url || `https://s3.${region || 'us-east-1'}.amazonaws.com`;
  if (!/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    return invalid(`${at}.storage: the endpoint_url "${endpoint}" must be an http:// or https:// URL`);
  return {
    uri: `s3://${bucket}/${path.replace(/^\/+/, '')}`,
    env: [
      ...(text === undefined ? [] : [fromSecret('STORAGE_CONFIG', secretName, entry)]),
      ...(Object.keys(parameters).length > 0
        ? plain('STORAGE_OVERRIDE_CONFIG', JSON.stringify(parameters))
        : []),
    ],
    egress: hostOf(endpoint),
    ca: cabundle_configmap ? { configMap: cabundle_configmap, file: caFileDefault } : undefined,
  };
}

class Reader {
  readonly #client: Client;
  readonly #namespace: string;

  constructor(client: Client, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** The Secrets that a ServiceAccount lists, or the one that is named instead; a name where there is none. */
  async secretsOf(named: string | undefined, account = 'default'): Promise<(Secret | string)[]> {
    const found = named ? undefined : await this.find(serviceAccountKind, account || 'default');
    const names = named ? [named] : (found?.secrets ?? []).flatMap(({ name }) => name ?? []);
    return Promise.all(names.map(async (name) => (await this.find(secretKind, name)) ?? name));
  }

  /** The ConfigMap of the namespace with the authorities that the cluster's settings name; it is kept like theirs. */
  async authorities(): Promise<string | undefined> {
    const settings = await this.find(configMapKind, settingsName, systemNamespace);
    const { caBundleConfigMapName: name } = jsonText(settings?.data?.storageInitializer) ?? {};
    if (!name || this.#namespace === systemNamespace) return name || undefined;
    const source = await this.find(configMapKind, name, systemNamespace);
    const text = source?.data?.[caFileDefault];
    if (text === undefined) return undefined;
    const data = { [caFileDefault]: text };
    const copy = await this.find(configMapKind, caCopyName);
    if (!copy)
      await this.#client.create(configMapKind, {
        metadata: { name: caCopyName, namespace: this.#namespace },
        data,
      });
    else if (copy.data?.[caFileDefault] !== text) await this.#client.update(configMapKind, { ...copy, data });
    return caCopyName;
  }

  async find<T extends KubeObject>(
    kind: KindAddress<T>,
    name: string,
    namespace = this.#namespace,
  ): Promise<T | undefined> {
    try {
      return await this.#client.get(kind, { namespace, name });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

const textOf = (base64 = ''): string => Buffer.from(base64, 'base64').toString().trim();
const jsonOf = (base64: string | undefined) => jsonText(base64 === undefined ? '{}' : textOf(base64));

/** The texts in an object; undefined for what is none. */
function jsonText(text = '{}'): Record<string, string | undefined> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

/** `host:port` of an HTTP URL. */
export function hostOf(uri: string): string {
  const { hostname, port, protocol } = new URL(uri);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}
