import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { objectReference } from '../parts/meta.ts';
import { refine, required } from '../schema.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.Binding',
  { apiVersion: 'v1', kind: 'Binding' },
  { target: required(refine(objectReference, { doc: 'The node.', default: {} })) },
  'Binding gives a pod its node. Deprecated in this place: POST it to the pod.',
);

export interface Binding extends ObjectOf<typeof schema> {}

/** Only made, never stored: what it does is done to the pod of its name. */
export const binding = defineKind<Binding>({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  namespaced: true,
  verbs: ['create'],
  schema,
});
