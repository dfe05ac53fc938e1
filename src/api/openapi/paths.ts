import type { KindDefinition } from '../kind.ts';
import { type Operation, operationsOf } from './operations.ts';

/** The `info` of every document. */
export const info = { title: 'Kubernetes', version: 'v1.32.0' };
export const json = 'application/json';

/** The operations of the kinds by path and method, each written by `write`. */
export function pathsOf(kinds: readonly KindDefinition[], write: (operation: Operation) => object): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of kinds.flatMap(operationsOf)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: write(operation) };
  }
  return paths;
}

/** What both versions say of an operation. */
export function describe(operation: Operation): object {
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.id,
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': operation.about,
  };
}
