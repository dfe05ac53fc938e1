import type { KubeObject } from '../../api/object.ts';
import type { Call, Context } from '../context.ts';
import { notFound } from '../failures.ts';
import { keyOf, objectOf } from '../stored.ts';
import { readRevision, tooLarge } from './revision.ts';

/** Answers a GET of one object, or of its status, which is the whole object too. */
export function get(context: Context, call: Call): KubeObject {
  const name = call.info.name!;
  checkRevision(context, call.request.query.get('resourceVersion'));
  const stored = context.store.get(keyOf(call.resource.kind, call.info.namespace, name));
  if (!stored) throw notFound(call.resource.kind, name);
  return objectOf(stored, call.resource.kind);
}

/** What is read is always the newest, so no more can be asked than that it is not older. */
function checkRevision({ store }: Context, resourceVersion: string | null): void {
  if (!resourceVersion) return;
  const revision = readRevision(resourceVersion);
  if (revision > store.revision()) throw tooLarge(revision, store.revision());
}
