import { type EndpointSlice, endpointSlice as endpointSliceKind } from '../api/kinds/endpointSlice.ts';
import { endpoints as endpointsKind } from '../api/kinds/endpoints.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { hasLabels } from '../scheduler/labels.ts';
import { type Context, runController, source } from './controller.ts';
import { managedByLabel, serviceNameLabel } from './endpointslice/plan.ts';
import { isMirrored, mirroredBy, plan } from './endpointslice-mirroring/plan.ts';
import { Expectations } from './expectations.ts';
import { keyOfMeta } from './owner.ts';

/** Mirrors Endpoints that somebody wrote for a Service without a selector into EndpointSlices, which routes are made of. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const endpoints = informers.of(endpointsKind);
  const services = informers.of(serviceKind);
  const slices = informers.of(endpointSliceKind);
  const expectations = new Expectations(clock);

  const keysForSlice = (change: Change<EndpointSlice>): string[] => {
    const { labels = {}, namespace } = change.object.metadata ?? {};
    if (labels[managedByLabel] !== mirroredBy) return [];
    const key = `${namespace}/${labels[serviceNameLabel]}`;
    if (change.type === 'added') expectations.creationSeen(key);
    return [key];
  };

  async function reconcile(key: string): Promise<undefined> {
    if (!expectations.areMet(key)) return;
    const [namespace = '', name = ''] = key.split('/');
    const mirrored = slices
      .byIndex('namespace', namespace)
      .filter(({ metadata }) =>
        hasLabels({ [serviceNameLabel]: name, [managedByLabel]: mirroredBy }, metadata?.labels),
      );
    const source = endpoints.get(key);
    const service = services.get(key);
    const hasSelector = Object.keys(service?.spec?.selector ?? {}).length > 0;
    const isOurs =
      source && service && !hasSelector && isMirrored(source) && !source.metadata?.deletionTimestamp;
    const todo = isOurs ? plan(source, mirrored) : { create: [], update: [], delete: mirrored };
    if (todo.create.length > 0) expectations.expectCreations(key, todo.create.length);
    for (const slice of todo.update) await client.update(endpointSliceKind, slice);
    for (const slice of todo.create) {
      await client.create(endpointSliceKind, slice).catch((error: unknown) => {
        expectations.forget(key);
        throw error;
      });
    }
    for (const { metadata } of todo.delete) {
      await client.delete(endpointSliceKind, keyOfMeta(metadata ?? {})).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound')) throw error;
      });
    }
  }

  return runController(context, {
    name: 'endpointslice-mirroring',
    sources: [
      source(endpointsKind, ({ key }) => [key]),
      source(serviceKind, ({ key }) => [key]),
      source(endpointSliceKind, keysForSlice),
    ],
    reconcile,
  });
}
