import type { KindDefinition } from '../kind.ts';
import { componentsOf, openapi2, reference } from './components.ts';
import type { Operation } from './operations.ts';
import { pathParameters, queryParameters } from './parameters.ts';
import { describe, info, json, pathsOf } from './paths.ts';

/** The OpenAPI 2.0 document of all kinds. Made anew with each call. */
export function openapiV2(kinds: readonly KindDefinition[]): object {
  return {
    swagger: '2.0',
    info,
    paths: pathsOf(kinds, operation2),
    definitions: componentsOf(kinds, openapi2),
  };
}

function operation2(operation: Operation): object {
  const { body } = operation;
  return {
    ...describe(operation),
    consumes: operation.consumes,
    produces: [json],
    schemes: ['https'],
    parameters: [
      ...pathParameters(operation.path).map((name) => ({
        name,
        in: 'path',
        required: true,
        description: name,
        type: 'string',
        uniqueItems: true,
      })),
      ...(body
        ? [
            {
              name: 'body',
              in: 'body',
              required: operation.method !== 'delete',
              schema: reference(body, openapi2),
            },
          ]
        : []),
      ...['pretty', ...operation.query].map((name) => {
        const { type, description } = queryParameters[name]!;
        return { name, in: 'query', description, type, uniqueItems: true };
      }),
    ],
    responses: {
      200: { description: 'OK', schema: reference(operation.answer, openapi2) },
      401: { description: 'Unauthorized' },
    },
  };
}
