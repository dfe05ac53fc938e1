import { follows } from '../checks.ts';
import { qualifiedName } from '../names.ts';
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
import { validateLabels } from '../validate-metadata.ts';

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
    name: string({ doc: "The object's name." }),
    generateName: string({ doc: 'The beginning of a name that the server completes.' }),
    namespace: string({ doc: 'The namespace that it lies in.' }),
    selfLink: string(),
    uid: string({ doc: 'Tells it from every other object, also of the same name.' }),
    resourceVersion: string({ doc: 'Changes with every write.' }),
    generation: integer({ doc: 'Counts the changes of what is desired.' }),
    creationTimestamp: time({ doc: 'When it was created.' }),
    deletionTimestamp: time({ doc: 'When it is to be gone.' }),
    deletionGracePeriodSeconds: integer({ doc: 'How long it has to end.' }),
    labels: map(string(), { doc: 'Short values to select it by.' }),
    annotations: map(string(), { doc: 'Notes of tools and people; they select nothing.' }),
    ownerReferences: keyedList(['uid'], ownerReference, { doc: 'The objects that it goes with.' }),
    finalizers: setList(string(), { doc: 'Who still has to clean up before it goes.' }),
    managedFields: list(managedFieldsEntry, { doc: 'Who wrote which field.' }),
  },
);

export const labelSelectorRequirement = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement',
  {
    key: required(string({ doc: 'The label.', check: follows(qualifiedName) })),
    operator: required(oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist'], { doc: 'How values are compared.' })),
    values: list(string(), { doc: 'What In and NotIn compare with.' }),
  },
  {
    check({ operator, values = [] }, at, report) {
      const needsValues = operator === 'In' || operator === 'NotIn';
      if (needsValues && values.length === 0) {
        report.required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'");
      }
      if (!needsValues && values.length > 0) {
        report.forbidden(
          at.child('values'),
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        );
      }
    },
  },
);
export type LabelSelectorRequirement = TypeOf<typeof labelSelectorRequirement>;

export const labelSelector = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector',
  {
    matchLabels: map(string(), { doc: 'Labels and their values; all must be there.', check: validateLabels }),
    matchExpressions: list(labelSelectorRequirement, { doc: 'Further demands; all must hold.' }),
  },
  { listType: 'atomic', doc: 'Selects objects by their labels; an empty one selects all.' },
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
