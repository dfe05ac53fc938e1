import type { ComponentStatus } from '../api/kinds/componentStatus.ts';
import type { KubeList, KubeObject } from '../api/object.ts';
import { messageOf } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import type { Call, Context } from './context.ts';
import { notFound } from './failures.ts';
import { readListOptions } from './options.ts';
import { selectionOf } from './verbs/match.ts';

/**
 * Answers `kubectl get componentstatuses`. Scheduler and controllers run in this process, so where this answers they
 * are there; what can fail apart from it is the store.
 */
export function answerComponentStatus(context: Context, call: Call): KubeObject {
  const all = [storeStatus(context.store)];
  if (call.info.name !== undefined) {
    const found = all.find(({ metadata }) => metadata?.name === call.info.name);
    if (!found) throw notFound(call.resource.kind, call.info.name);
    return found;
  }
  const selection = selectionOf(call, readListOptions(call.request.query));
  const list: KubeList = {
    apiVersion: 'v1',
    kind: 'ComponentStatusList',
    metadata: {},
    items: all.filter((status) => selection.matches(status)),
  };
  return list;
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
