import type { ComponentStatus } from '../api/kinds/componentStatus.ts';
import type { KubeObject } from '../api/object.ts';
import { messageOf } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { type Listing, once } from './answer.ts';
import type { Call, Context } from './context.ts';
import { notFound } from './failures.ts';
import { readListOptions } from './options.ts';
import { selectionOf } from './verbs/match.ts';

/**
 * `kubectl get componentstatuses`. Scheduler and controllers run in this process, so where this answers they are there;
 * what can fail apart from it is the store.
 */
export function listComponentStatuses(context: Context, call: Call): Listing {
  const selection = selectionOf(call, readListOptions(call.request.query));
  const found = allOf(context).filter((status) => selection.matches(status));
  return {
    head: { apiVersion: 'v1', kind: 'ComponentStatusList', metadata: {} },
    pages: once(found),
  };
}

export function getComponentStatus(context: Context, call: Call): KubeObject {
  const { name = '' } = call.info;
  const found = allOf(context).find(({ metadata }) => metadata?.name === name);
  if (!found) throw notFound(call.resource.kind, name);
  return found;
}

function allOf({ store }: Context): ComponentStatus[] {
  return [storeStatus(store)];
}

function storeStatus(store: Store): ComponentStatus {
  return {
    apiVersion: 'v1',
    kind: 'ComponentStatus',
    metadata: { name: 'store' },
    conditions: [{ type: 'Healthy', ...healthOf(store) }],
  };
}

function healthOf(store: Store): { status: string; message?: string; error?: string } {
  try {
    store.list('/core/namespaces/', { limit: 1 });
    return { status: 'True', message: 'ok' };
  } catch (error) {
    return { status: 'False', error: messageOf(error) };
  }
}
