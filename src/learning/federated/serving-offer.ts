import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { ClusterCalls } from '../trainer/cluster-calls.ts';
import { fetchModel, readServing } from '../trainer/serving-model.ts';
import { untilReachable } from '../trainer/until-reachable.ts';
import type { RoundFolder } from './round-folder.ts';

/** The model in service, which the clients measure beside the joined one: they hold the examples, and have no token of
 * the cluster. */
export interface ServingOffer {
  image?: string | undefined;
  /** The model with its weights. */
  onnx?: Uint8Array | undefined;
  problem?: string | undefined;
}

export interface ServingOfferOptions {
  inferenceService: string;
  cluster: Pick<ClusterCalls, 'inferenceService' | 'registry'>;
  rounds: Pick<RoundFolder, 'servingImage' | 'saveServingImage'>;
  folder: string;
  clock: Clock;
  say: (text: string) => void;
}

/** Fetches what an InferenceService has now. A coordinator that was started again offers nothing else than it did before,
 * as some clients may have measured that. */
export async function offerServing(options: ServingOfferOptions): Promise<ServingOffer> {
  const { inferenceService, cluster, rounds, folder, clock, say } = options;
  const link = { clock, say, what: 'the comparison with the model in service' };
  let image: string | undefined;
  try {
    const { spec } = await untilReachable(() => cluster.inferenceService(inferenceService), link);
    image = spec?.predictor.model?.storageUri ?? '';
    const earlier = await rounds.servingImage();
    if (earlier !== undefined && earlier !== image)
      throw new Error(`${earlier} was measured first, ${image} was put into service meanwhile`);
    const from = { registry: cluster.registry, folder, clock };
    const uri = image;
    const fetched = await untilReachable(() => fetchModel(uri, from), link);
    await rounds.saveServingImage(image);
    return { image, onnx: await readServing(fetched) };
  } catch (error) {
    const problem = messageOf(error);
    say(`the model in service can't be measured: ${problem}`);
    return { image, problem };
  }
}
