import type { Dialect, JsonSchema } from './components.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Schemas that belong to the API itself rather than to a kind. */
export function metaComponents(dialect: Dialect): Record<string, JsonSchema> {
  const ref = (name: string) => ({ $ref: dialect.ref(`${meta}.${name}`) });
  // Version 2 knows no alternatives; its clients take the named type together with the format.
  const either = (types: string[], more: JsonSchema) =>
    dialect.version === 3 ? { oneOf: types.map((type) => ({ type })), ...more } : { type: 'string', ...more };
  return {
    'io.k8s.apimachinery.pkg.api.resource.Quantity': either(['string', 'number'], {
      description: 'An exact number with a suffix: 500m, 64Mi, 1e3.',
    }),
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString': either(['integer', 'string'], {
      description: 'A number or a text.',
      format: 'int-or-string',
    }),
    [`${meta}.Time`]: { description: 'A time as in RFC 3339.', type: 'string', format: 'date-time' },
    [`${meta}.MicroTime`]: {
      description: 'A time as in RFC 3339, with microseconds.',
      type: 'string',
      format: 'date-time',
    },
    [`${meta}.Patch`]: { description: 'A change of an object.', type: 'object' },
    [`${meta}.ListMeta`]: structure('What describes a list.', {
      continue: text('Ask for the next page with it.'),
      remainingItemCount: { type: 'integer', format: 'int64', description: 'How many objects follow.' },
      resourceVersion: text('The version of the whole that the list shows.'),
    }),
    [`${meta}.StatusCause`]: structure('One reason of a failure.', {
      field: text('Where it is.'),
      message: text('What it is, for people.'),
      reason: text('What it is, for programs.'),
    }),
    [`${meta}.StatusDetails`]: structure('More about a failure.', {
      causes: { type: 'array', items: ref('StatusCause'), description: 'All that is wrong.' },
      group: text('The group of the object.'),
      kind: text('The kind of the object.'),
      name: text('The name of the object.'),
      retryAfterSeconds: { type: 'integer', format: 'int32', description: 'When to try again.' },
      uid: text('The UID of the object.'),
    }),
    [`${meta}.Status`]: structure(
      'The outcome of a call that returns no object.',
      {
        apiVersion: text('v1.'),
        code: { type: 'integer', format: 'int32', description: 'The HTTP status code.' },
        details: ref('StatusDetails'),
        kind: text('Status.'),
        message: text('What happened, for people.'),
        metadata: ref('ListMeta'),
        reason: text('What happened, for programs.'),
        status: text('Success or Failure.'),
      },
      'Status',
    ),
    [`${meta}.Preconditions`]: structure('What must hold for a deletion.', {
      resourceVersion: text('The version that is meant.'),
      uid: text('The object that is meant.'),
    }),
    [`${meta}.DeleteOptions`]: structure(
      'How to delete.',
      {
        apiVersion: text('v1.'),
        dryRun: { type: 'array', items: { type: 'string' }, description: 'All: change nothing.' },
        gracePeriodSeconds: { type: 'integer', format: 'int64', description: 'How long it has to end.' },
        kind: text('DeleteOptions.'),
        orphanDependents: { type: 'boolean', description: 'The former form of propagationPolicy.' },
        preconditions: ref('Preconditions'),
        propagationPolicy: text('What becomes of what it owns: Orphan, Background or Foreground.'),
      },
      'DeleteOptions',
    ),
    'io.k8s.api.autoscaling.v1.Scale': {
      ...structure('How many replicas are wanted, and how many there are.', {
        apiVersion: text('autoscaling/v1.'),
        kind: text('Scale.'),
        metadata: { type: 'object', description: "The object's name and version." },
        spec: structure('What is wanted.', { replicas: { type: 'integer', format: 'int32' } }),
        status: structure('What there is.', {
          replicas: { type: 'integer', format: 'int32' },
          selector: text('Which pods are counted.'),
        }),
      }),
      'x-kubernetes-group-version-kind': [{ group: 'autoscaling', kind: 'Scale', version: 'v1' }],
    },
  };
}

function structure(description: string, properties: JsonSchema, kind?: string): JsonSchema {
  const groupVersionKind = [{ group: '', kind, version: 'v1' }];
  return {
    description,
    type: 'object',
    properties,
    ...(kind && { 'x-kubernetes-group-version-kind': groupVersionKind }),
  };
}

function text(description: string): JsonSchema {
  return { type: 'string', description };
}
