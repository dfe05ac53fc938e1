import { randomUUID } from 'node:crypto';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import type { KubeObject, ObjectMeta } from '../../api/object.ts';
import { messageOf, StatusError } from '../../base/errors.ts';
import type { ServiceDial } from '../service-dial.ts';

/** How long a webhook may take. */
export const webhookTimeoutMs = 30_000;
/** An answer, at most. */
export const answerBytesMax = 16 * 1024 * 1024;
/** Objects that go into one request, at most. */
const objectsMax = 500;

/** Asks the webhook of a definition to convert objects. Failures are InternalError, in Kubernetes' words. */
export class ConversionWebhook {
  readonly #dial: ServiceDial;

  constructor(dial: ServiceDial) {
    this.#dial = dial;
  }

  async convert(
    definition: CustomResourceDefinition,
    objects: readonly object[],
    version: string,
  ): Promise<object[]> {
    const converted: object[] = [];
    for (let from = 0; from < objects.length; from += objectsMax) {
      converted.push(
        ...(await this.#convertSome(definition, objects.slice(from, from + objectsMax), version)),
      );
    }
    return converted;
  }

  async #convertSome(
    definition: CustomResourceDefinition,
    objects: readonly KubeObject[],
    version: string,
  ): Promise<object[]> {
    const { spec } = definition;
    const [{ apiVersion = '' } = {}] = objects;
    try {
      const apiVersions = spec.conversion?.webhook?.conversionReviewVersions ?? [];
      const reviewVersion = apiVersions.find((one) => one === 'v1' || one === 'v1beta1') ?? 'v1';
      const uid = randomUUID();
      const review = {
        kind: 'ConversionReview',
        apiVersion: `apiextensions.k8s.io/${reviewVersion}`,
        request: {
          uid,
          desiredAPIVersion: `${spec.group}/${version}`,
          objects: objects.map(withoutManagers),
        },
      };
      const answer = await this.#post(definition, review);
      const converted = convertedIn(answer, { uid, reviewVersion });
      if (converted.length !== objects.length) {
        throw new Error(`returned ${converted.length} objects, expected ${objects.length}`);
      }
      return converted.map((one, index) => checked(one, objects[index]!, `${spec.group}/${version}`, index));
    } catch (error) {
      const what = `${apiVersion}, Kind=${spec.names.kind}`;
      const text = `conversion webhook for ${what} failed: ${messageOf(error)}`;
      throw new StatusError('InternalError', text, { cause: error });
    }
  }

  async #post(definition: CustomResourceDefinition, review: object): Promise<unknown> {
    const { url, service, caBundle } = definition.spec.conversion?.webhook?.clientConfig ?? {};
    const ca = caBundle ? { ca: Buffer.from(caBundle, 'base64') } : {};
    const signal = AbortSignal.timeout(webhookTimeoutMs);
    if (url) return post(new URL(url), { ...ca, signal }, review);
    if (!service) throw new Error('it has neither url nor service');
    const { name, namespace, port = 443, path = '/' } = service;
    const stream = await this.#dial({ name, namespace, port }, signal);
    const servername = `${name}.${namespace}.svc`;
    const createConnection = () => connect({ socket: stream, servername, ...ca });
    return post(
      new URL(`https://${servername}:${port}${path}`),
      { signal, createConnection, stream },
      review,
    );
  }
}

interface Connection {
  signal: AbortSignal;
  ca?: Buffer;
  createConnection?: () => TLSSocket;
  stream?: Duplex;
}

function post(url: URL, { stream, ...connection }: Connection, body: object): Promise<unknown> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request(url, { method: 'POST', headers, ...connection }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytesMax)
          response.destroy(new Error(`the answer has more than ${answerBytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode !== 200)
          reject(new Error(`it answered ${response.statusCode}: ${answer.slice(0, 500)}`));
        else resolve(parsed(answer, reject));
      });
    });
    stream?.once('error', (error) => sent.destroy(error));
    sent.on('error', (error) => reject(new Error(`Post ${JSON.stringify(url.href)}: ${messageOf(error)}`)));
    sent.end(text);
  });
}

function parsed(text: string, reject: (error: Error) => void): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    reject(new Error(`the answer is no JSON: ${messageOf(error)}`));
    return undefined;
  }
}

interface Review {
  apiVersion?: string;
  kind?: string;
  response?: {
    uid?: string;
    result?: { status?: string; message?: string };
    convertedObjects?: KubeObject[];
  };
}

function convertedIn(
  answer: unknown,
  { uid, reviewVersion }: { uid: string; reviewVersion: string },
): KubeObject[] {
  const { apiVersion, kind, response } = (answer ?? {}) as Review;
  const expected = `apiextensions.k8s.io/${reviewVersion}`;
  if (apiVersion !== expected || kind !== 'ConversionReview') {
    throw new Error(
      `expected webhook response of ${expected}, Kind=ConversionReview, got ${apiVersion}, Kind=${kind}`,
    );
  }
  if (!response) throw new Error('no response provided');
  if (response.uid !== uid && reviewVersion === 'v1') {
    throw new Error(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`,
    );
  }
  const { status = '', message } = response.result ?? {};
  if (status !== 'Success')
    throw new Error(message || `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

/** Of the metadata, a webhook may change labels and annotations alone. */
function checked(converted: KubeObject, original: KubeObject, apiVersion: string, index: number): object {
  const at = `returned invalid converted object at index ${index}`;
  if (converted?.apiVersion !== apiVersion) {
    throw new Error(
      `${at}: invalid groupVersion (expected ${apiVersion}, received ${converted?.apiVersion})`,
    );
  }
  if (converted.kind !== original.kind) {
    throw new Error(`${at}: invalid kind (expected ${original.kind}, received ${converted.kind})`);
  }
  const [now, before]: ObjectMeta[] = [converted.metadata ?? {}, original.metadata ?? {}];
  for (const field of ['name', 'namespace', 'uid'] as const) {
    const name = field === 'uid' ? 'UID' : field;
    if (now![field] !== before![field]) {
      throw new Error(`${at}: must have the same ${name}: ${before![field] ?? ''} != ${now![field] ?? ''}`);
    }
  }
  const { labels: _labels, annotations: _annotations, ...kept } = before!;
  const metadata = {
    ...kept,
    ...(now!.labels && { labels: now!.labels }),
    ...(now!.annotations && { annotations: now!.annotations }),
  };
  return { ...converted, metadata };
}

/** They are stored packed, and no webhook may change them. */
function withoutManagers(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}
