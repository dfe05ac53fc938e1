import { type CelProgram, compile } from './compile.ts';
import { authorizerType, resourceCheckType } from './functions/authorizer.ts';
import {
  boolType,
  type CelType,
  dynType,
  listOf,
  mapOf,
  objectType,
  stringType,
  timestampType,
} from './types.ts';

const text = stringType;
const kind = objectType('kubernetes.GroupVersionKind', { group: text, version: text, kind: text });
const resource = objectType('kubernetes.GroupVersionResource', {
  group: text,
  version: text,
  resource: text,
});

/** `request` in expressions of admission: what AdmissionReview tells of it, without the objects. */
export const requestType = objectType('kubernetes.AdmissionRequest', {
  kind,
  resource,
  subResource: text,
  requestKind: kind,
  requestResource: resource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: objectType('kubernetes.UserInfo', {
    username: text,
    uid: text,
    groups: listOf(text),
    extra: mapOf(text, listOf(text)),
  }),
  dryRun: boolType,
  options: dynType,
});

const namespaceType = objectType('kubernetes.NamespaceType', {
  metadata: objectType('kubernetes.Meta', {
    name: text,
    generateName: text,
    namespace: text,
    labels: mapOf(text, text),
    annotations: mapOf(text, text),
    UID: text,
    creationTimestamp: timestampType,
    deletionTimestamp: timestampType,
    resourceVersion: text,
    finalizers: listOf(text),
  }),
  spec: objectType('kubernetes.NamespaceSpec', { finalizers: listOf(text) }),
  status: objectType('kubernetes.NamespaceStatus', { phase: text }),
});

export interface PolicyVariables {
  /** Whether there are parameters. */
  hasParams: boolean;
  hasAuthorizer: boolean;
  /** `variables.name`, by their types. */
  variables?: Readonly<Record<string, CelType>>;
  /** Of what kind the objects and the parameters are, where that is to be held against the expression. */
  types?: { object?: CelType | undefined; params?: CelType | undefined };
}

/** Compiles an expression of an admission policy or of a match condition. Throws CelCompileError. */
export function compileForAdmission(
  source: string,
  { hasParams, hasAuthorizer, variables, types }: PolicyVariables,
): CelProgram {
  return compile(source, {
    variables: {
      object: types?.object ?? dynType,
      oldObject: types?.object ?? dynType,
      request: requestType,
      namespaceObject: namespaceType,
      ...(hasParams && { params: types?.params ?? dynType }),
      ...(hasAuthorizer && { authorizer: authorizerType, 'authorizer.requestResource': resourceCheckType }),
      ...(variables && { variables: objectType('kubernetes.variables', variables) }),
    },
  });
}
