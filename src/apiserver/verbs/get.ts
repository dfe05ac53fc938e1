import type { KubeObject } from '../../api/object.ts';
import type { Call, Context } from '../context.ts';
import { notFound } from '../failures.ts';
import { keyOf, objectOf } from '../stored.ts';

/** Answers a GET of one object, or of its status, which is the whole object too. */
export function get(context: Context, call: Call): KubeObject {
  const name = call.info.name!;
  const stored = context.store.get(keyOf(call.resource.kind, call.info.namespace, name));
  if (!stored) throw notFound(call.resource.kind, name);
  return objectOf(stored, call.resource.kind);
}
