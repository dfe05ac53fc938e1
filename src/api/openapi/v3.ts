import type { KindDefinition } from '../kind.ts';
import { componentsOf, openapi3, reference } from './components.ts';
import type { Operation } from './operations.ts';
import { pathParameters, queryParameters } from './parameters.ts';
import { describe, info, json, pathsOf } from './paths.ts';

/** The OpenAPI 3.0 document of one group and version; `''` is the core group. Made anew with each call. */
export function openapiV3(kinds: readonly KindDefinition[], at: { group: string; version: string }): object {
  const served = kinds.filter((kind) => kind.group === at.group && kind.version === at.version);
  return {
    openapi: '3.0.0',
    info,
    paths: pathsOf(served, operation3),
    components: { schemas: componentsOf(served, openapi3) },
  };
}

function operation3(operation: Operation): object {
  const { body } = operation;
  const schema = body && reference(body, openapi3);
  return {
    ...describe(operation),
    parameters: [
      ...pathParameters(operation.path).map((name) => ({
        name,
        in: 'path',
        required: true,
        description: name,
        schema: { type: 'string', uniqueItems: true },
      })),
      ...['pretty', ...operation.query].map((name) => {
        const { type, description } = queryParameters[name]!;
        return { name, in: 'query', description, schema: { type, uniqueItems: true } };
      }),
    ],
    ...(schema && {
      requestBody: {
        content: Object.fromEntries(operation.consumes.map((type) => [type, { schema }])),
        ...(operation.method !== 'delete' && { required: true }),
      },
    }),
    responses: {
      200: { description: 'OK', content: { [json]: { schema: reference(operation.answer, openapi3) } } },
      401: { description: 'Unauthorized' },
    },
  };
}
