import type { ObjectMeta } from '../object.ts';
import {
  any,
  boolean,
  integer,
  keyedList,
  list,
  map,
  object,
  oneOf,
  required,
  type Schema,
  setList,
  string,
  type TypeOf,
  time,
} from '../schema.ts';

export const ownerReference = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference',
  {
    apiVersion: required(string()),
    blockOwnerDeletion: boolean(),
    controller: boolean(),
    kind: required(string()),
    name: required(string()),
    uid: required(string()),
  },
  { listType: 'atomic' },
);
export type OwnerReference = TypeOf<typeof ownerReference>;

export const managedFieldsEntry = object('io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry', {
  apiVersion: string(),
  fieldsType: string(),
  fieldsV1: any(),
  manager: string(),
  operation: string(),
  subresource: string(),
  time: time(),
});
export type ManagedFieldsEntry = TypeOf<typeof managedFieldsEntry>;

// The static type is written out in object.ts, because rooms that know no schema use it too.
export const objectMeta: Schema<ObjectMeta, false> = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
  {
    name: string(),
    generateName: string(),
    namespace: string(),
    selfLink: string(),
    uid: string(),
    resourceVersion: string(),
    generation: integer(),
    creationTimestamp: time(),
    deletionTimestamp: time(),
    deletionGracePeriodSeconds: integer(),
    labels: map(string()),
    annotations: map(string()),
    ownerReferences: keyedList(['uid'], ownerReference),
    finalizers: setList(string()),
    managedFields: list(managedFieldsEntry),
  },
);

export const labelSelectorRequirement = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement',
  {
    key: required(string()),
    operator: required(oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist'])),
    values: list(string()),
  },
);
export type LabelSelectorRequirement = TypeOf<typeof labelSelectorRequirement>;

export const labelSelector = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector',
  {
    matchExpressions: list(labelSelectorRequirement),
    matchLabels: map(string()),
  },
  { listType: 'atomic' },
);
export type LabelSelector = TypeOf<typeof labelSelector>;

export const condition = object('io.k8s.apimachinery.pkg.apis.meta.v1.Condition', {
  lastTransitionTime: required(time()),
  message: required(string()),
  observedGeneration: integer(),
  reason: required(string()),
  status: required(oneOf(['True', 'False', 'Unknown'])),
  type: required(string()),
});
export type Condition = TypeOf<typeof condition>;

export const objectReference = object(
  'io.k8s.api.core.v1.ObjectReference',
  {
    apiVersion: string(),
    fieldPath: string(),
    kind: string(),
    name: string(),
    namespace: string(),
    resourceVersion: string(),
    uid: string(),
  },
  { listType: 'atomic' },
);
export type ObjectReference = TypeOf<typeof objectReference>;

export const localObjectReference = object(
  'io.k8s.api.core.v1.LocalObjectReference',
  {
    name: string(),
  },
  { listType: 'atomic' },
);
export type LocalObjectReference = TypeOf<typeof localObjectReference>;

export const typedLocalObjectReference = object(
  'io.k8s.api.core.v1.TypedLocalObjectReference',
  {
    apiGroup: string(),
    kind: required(string()),
    name: required(string()),
  },
  { listType: 'atomic' },
);
export type TypedLocalObjectReference = TypeOf<typeof typedLocalObjectReference>;

export const typedObjectReference = object('io.k8s.api.core.v1.TypedObjectReference', {
  apiGroup: string(),
  kind: required(string()),
  name: required(string()),
  namespace: string(),
});
export type TypedObjectReference = TypeOf<typeof typedObjectReference>;
