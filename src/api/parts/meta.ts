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
    apiVersion: required(string({ doc: "The object's API version." })),
    blockOwnerDeletion: boolean({ doc: 'Whether the owner waits for its deletion (foreground deletion).' }),
    controller: boolean({ doc: 'Whether the owner is the one that manages it.' }),
    kind: required(string({ doc: "The object's kind." })),
    name: required(string({ doc: "The object's name." })),
    uid: required(string({ doc: "The object's UID." })),
  },
  { listType: 'atomic' },
);
export type OwnerReference = TypeOf<typeof ownerReference>;

export const managedFieldsEntry = object('io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry', {
  apiVersion: string({ doc: 'The version that the fields are written in.' }),
  fieldsType: string({ doc: 'FieldsV1.' }),
  fieldsV1: any(),
  manager: string({ doc: 'Who wrote them.' }),
  operation: string({ doc: 'Apply or Update.' }),
  subresource: string({ doc: 'The subresource that was written.' }),
  time: time({ doc: 'When.' }),
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
  lastTransitionTime: required(time({ doc: 'When its status changed last.' })),
  message: required(string({ doc: 'Why, for people.' })),
  observedGeneration: integer({ doc: 'The generation that it speaks of.' }),
  reason: required(string({ doc: 'Why, in one word, for programs.' })),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type Condition = TypeOf<typeof condition>;

export const objectReference = object(
  'io.k8s.api.core.v1.ObjectReference',
  {
    apiVersion: string({ doc: "The object's API version." }),
    fieldPath: string({ doc: 'The part of the object that is meant.' }),
    kind: string({ doc: "The object's kind." }),
    name: string({ doc: "The object's name." }),
    namespace: string({ doc: "The object's namespace." }),
    resourceVersion: string({ doc: 'The version of the object that is meant.' }),
    uid: string({ doc: "The object's UID." }),
  },
  { listType: 'atomic' },
);
export type ObjectReference = TypeOf<typeof objectReference>;

export const localObjectReference = object(
  'io.k8s.api.core.v1.LocalObjectReference',
  {
    name: string({ doc: "The object's name." }),
  },
  { listType: 'atomic' },
);
export type LocalObjectReference = TypeOf<typeof localObjectReference>;

export const typedLocalObjectReference = object(
  'io.k8s.api.core.v1.TypedLocalObjectReference',
  {
    apiGroup: string({ doc: "The object's API group." }),
    kind: required(string({ doc: "The object's kind." })),
    name: required(string({ doc: "The object's name." })),
  },
  { listType: 'atomic' },
);
export type TypedLocalObjectReference = TypeOf<typeof typedLocalObjectReference>;

export const typedObjectReference = object('io.k8s.api.core.v1.TypedObjectReference', {
  apiGroup: string({ doc: "The object's API group." }),
  kind: required(string({ doc: "The object's kind." })),
  name: required(string({ doc: "The object's name." })),
  namespace: string({ doc: "The object's namespace." }),
});
export type TypedObjectReference = TypeOf<typeof typedObjectReference>;
