import type { AdmissionPlugin, Operation } from './chain.ts';

/** Only writes of this resource itself, `pods` or `deployments.apps`, not of its subresources. */
export function only(resource: string, ...operations: Operation[]): NonNullable<AdmissionPlugin['handles']> {
  return (operation, { group, plural }, subresource) =>
    subresource === undefined &&
    operations.includes(operation) &&
    resource === (group === '' ? plural : `${plural}.${group}`);
}
