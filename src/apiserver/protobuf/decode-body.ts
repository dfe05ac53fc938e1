import { kinds } from '../../api/kinds/index.ts';
import { reviewDefinitions } from '../../api/kinds/reviews.ts';
import { apiVersionOf } from '../../api/object.ts';
import { objectMeta } from '../../api/parts/meta.ts';
import { boolean, integer, list, object, type SchemaNode, string } from '../../api/schema.ts';
import { StatusError } from '../../base/errors.ts';
import { badRequest } from '../failures.ts';
import { decodeMessage } from './decode-message.ts';
import { readFields, toBytes, toText } from './wire.ts';

/**
 * Decodes a body that kubectl or a client library sends in Kubernetes' protobuf form: the bytes `k8s\0`, then a
 * `runtime.Unknown` that says what the message in it is.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */
export function decodeProtobufBody(body: Buffer): object {
  if (body.toString('latin1', 0, 4) !== 'k8s\0') {
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix "k8s\\0"');
  }
  let type = { apiVersion: '', kind: '' };
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, value } of readFields(body.subarray(4))) {
    if (number === 1) type = readType(toBytes(value));
    if (number === 2) raw = toBytes(value);
  }
  const schema = schemaOf(type);
  // A client that speaks of a kind by its name asked for one that is not served.
  if (!schema && /^[A-Z]\w*$/.test(type.kind)) {
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  }
  if (!schema) throw badRequest('the protobuf message does not say what it holds');
  return { ...type, ...decodeMessage(schema, raw) };
}

function readType(bytes: Buffer): { apiVersion: string; kind: string } {
  const type = { apiVersion: '', kind: '' };
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) type.apiVersion = toText(value);
    if (number === 2) type.kind = toText(value);
  }
  return type;
}

function schemaOf(type: { apiVersion: string; kind: string }): SchemaNode | undefined {
  const kind = [...kinds, ...reviewDefinitions].find(
    (one) => one.kind === type.kind && apiVersionOf(one) === type.apiVersion,
  );
  return kind?.schema ?? bodies[type.kind];
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const deleteOptions = object(`${meta}.DeleteOptions`, {
  gracePeriodSeconds: integer(),
  preconditions: object(`${meta}.Preconditions`, { uid: string(), resourceVersion: string() }),
  orphanDependents: boolean(),
  propagationPolicy: string(),
  dryRun: list(string()),
});

/** What is sent and never stored. */
const bodies: Record<string, SchemaNode> = {
  DeleteOptions: deleteOptions,
  Eviction: object('io.k8s.api.policy.v1.Eviction', { metadata: objectMeta, deleteOptions }),
  Scale: object('io.k8s.api.autoscaling.v1.Scale', {
    metadata: objectMeta,
    spec: object('io.k8s.api.autoscaling.v1.ScaleSpec', { replicas: integer() }),
  }),
  TokenRequest: object('io.k8s.api.authentication.v1.TokenRequest', {
    metadata: objectMeta,
    spec: object('io.k8s.api.authentication.v1.TokenRequestSpec', {
      audiences: list(string()),
      boundObjectRef: object('io.k8s.api.authentication.v1.BoundObjectReference', {
        kind: string(),
        apiVersion: string(),
        name: string(),
        uid: string(),
      }),
      expirationSeconds: integer(),
    }),
  }),
};
