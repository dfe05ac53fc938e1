import { clone } from '../../api/clone.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Call, Context } from '../context.ts';
import { badRequest } from '../failures.ts';
import { isRecord } from '../options.ts';

/** What a subresource takes that is not the object itself: a Binding, an Eviction, a TokenRequest. */
export type Taken = KubeObject & Record<string, unknown>;

/** Has admission look at a POST to a subresource; answers what it made of the body. */
export async function admitSubresource(
  context: Context,
  call: Call,
  { form, body, dryRun }: { form: { apiVersion: string; kind: string }; body: unknown; dryRun: boolean },
): Promise<Taken> {
  if (body !== undefined && body !== null && !isRecord(body)) {
    throw badRequest(`the body must be a ${form.apiVersion} ${form.kind}`);
  }
  // The fields of the form are read, and checked, by who asked for it.
  const taken = { ...form, ...(body ?? {}) } as Taken;
  const name = call.info.name!;
  const admission = context.admission.begin(call, { operation: 'CREATE', name, object: taken, dryRun });
  if (!admission) return taken;
  if (admission.mutates) {
    admission.object = clone(taken);
    await admission.mutate();
  }
  await admission.validate();
  return admission.object as Taken;
}
