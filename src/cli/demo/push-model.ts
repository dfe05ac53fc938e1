import type { ExportedModel } from '../../ml/index.ts';
import { packModel } from '../../oci/artifact.ts';
import { ContentStore } from '../../oci/content-store.ts';
import { push } from '../../oci/push.ts';
import type { RegistryEndpoint } from '../../oci/registry-client.ts';

/** Packs a trained model as an artifact and sends it to the cluster's registry; resolves to the bytes sent. */
export async function pushTrainedModel(
  exported: ExportedModel,
  options: { registry: RegistryEndpoint; scratch: string; reference: string },
): Promise<number> {
  const store = await ContentStore.open(options.scratch);
  const { graph, weights, metadata } = exported;
  await packModel({ store, reference: options.reference, graph, weights, config: { ...metadata } });
  const { bytesSent } = await push({ reference: options.reference, registry: options.registry, from: store });
  return bytesSent;
}
