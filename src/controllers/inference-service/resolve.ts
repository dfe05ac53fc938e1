import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Client } from '../../client/client.ts';
import { withModel } from './legacy-model.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { type ChosenRuntime, isRefusal, type Runtimes, runtimeOf } from './runtimes.ts';
import { accessLookMs, type StorageAccess, storageAccess } from './storage-access.ts';
import { withRuntime } from './with-runtime.ts';

/** An InferenceService with all that it leaves to others to say, or as far as that went. */
export interface Resolved {
  inference: InferenceService;
  runtime?: ChosenRuntime;
  access?: StorageAccess | undefined;
  refusal?: Refusal;
  /** When a refusal is to be looked at again, if nobody tells of what would mend it. */
  againMs?: number;
}

/** Finds what serves the model, and what it is fetched with. */
export async function resolve(
  client: Client,
  found: InferenceService,
  runtimes: Runtimes,
): Promise<Resolved> {
  const asked = withModel(found);
  const runtime = runtimeOf(asked, runtimes);
  if (runtime && isRefusal(runtime)) return { inference: asked, refusal: runtime };
  const inference = runtime ? withRuntime(asked, runtime) : asked;
  if (isRefusal(inference)) return { inference: asked, refusal: inference };
  const refusal = refusalOf(inference);
  if (refusal) return { inference, refusal };
  const access = await storageAccess(client, inference);
  if (access && isRefusal(access)) return { inference, refusal: access, againMs: accessLookMs };
  return { inference, access, ...(runtime && { runtime }) };
}
