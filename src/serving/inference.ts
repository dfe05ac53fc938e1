import { type Clock, systemClock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import { classify } from './classification.ts';
import type { Tensor } from './datatype.ts';
import { checkInputs } from './inference-protocol.ts';
import { confidencesOf } from './joint/confidence.ts';
import { type Escalation, type EscalationOutcome, mergeRows } from './joint/escalation.ts';
import { Latencies } from './latencies.ts';
import { type Models, modelOf } from './models.ts';
import type { Quality } from './quality/quality.ts';
import { joinRows, rowsOf, splitRows } from './rows.ts';
import { outputsOf, type ServedModel, settingsOf } from './served-model.ts';
import { ModelClosed } from './session.ts';
import type { ImagePool } from './steps/image-pool.ts';
import { postprocess } from './steps/postprocess.ts';

type Tensors = Record<string, Tensor>;

/** What is asked of a model, whatever protocol it came by. */
export interface Ask {
  inputs: Tensors;
  /** Encoded images in place of the first input. */
  images?: Uint8Array[] | undefined;
  /** The outputs wanted, and which of them as so many classes; `undefined`: all, as they are. */
  outputs: { name: string; classes?: number | undefined }[] | undefined;
}

export interface Answered<A extends Ask> {
  /** The one that answered all of the request. */
  model: ServedModel;
  ask: A;
  outputs: Tensors;
  /** What the protocol's `parameters` of the answer say, if anything. */
  parameters: Record<string, string | number> | undefined;
}

/** Runs requests through steps, model, escalation and steps again; the same for all protocols. */
export interface Inference {
  /**
   * `read` makes the request for the model that will answer it; it is called again if the model is replaced before it ran,
   * so that no request fails or is mixed by a reload.
   */
  infer<A extends Ask>(
    target: { name: string; version: string | undefined; isEscalated?: boolean },
    read: (model: ServedModel) => A,
  ): Promise<Answered<A>>;
  latencies: Latencies;
}

export function createInference(options: {
  models: Models;
  metrics: Metrics;
  clock?: Clock;
  images: ImagePool;
  quality?: Quality | undefined;
  escalation?: Escalation | undefined;
}): Inference {
  const { models, images, quality, escalation, clock = systemClock } = options;
  const latencies = new Latencies(options.metrics);

  async function perform(model: ServedModel, ask: Ask, isEscalated: boolean, startMs: number) {
    const { session, settings } = model;
    let { inputs } = ask;
    if (ask.images) {
      const input = session.inputs[0]!;
      inputs = {
        ...inputs,
        [input.name]: await images.preprocess(ask.images, settingsOf(model).preprocess, input),
      };
    }
    checkInputs(session.inputs, { inputs, outputs: ask.outputs }, outputsOf(model));
    const ranMs = performance.now();
    const own = await session.run(inputs);
    const endedMs = performance.now();
    const joint = escalation && !isEscalated ? await escalate(model, { ...ask, inputs }, own) : undefined;
    quality?.observe(model.name, settings?.statistics, {
      inputs,
      images: ask.images,
      outputs: own,
      escalated: joint?.parameters.escalation === 'escalated',
    });
    const outputs = joint?.outputs ?? own;
    const made = settings ? postprocess(outputs, settings.postprocess, model.labels) : outputs;
    const told = { outputs: withClasses(made, ask, model), parameters: joint?.parameters };
    const outputMs = performance.now() - endedMs;
    const took = { rows: rowsOf(inputs) || 1, inputMs: ranMs - startMs, inferMs: endedMs - ranMs, outputMs };
    return { ...told, took };
  }

  function withClasses(outputs: Tensors, { outputs: asked }: Ask, { labels }: ServedModel): Tensors {
    if (!asked?.some(({ classes }) => classes !== undefined)) return outputs;
    const told = { ...outputs };
    for (const { name, classes } of asked)
      if (classes !== undefined) told[name] = classify(name, outputs[name]!, classes, labels);
    return told;
  }

  /** The rows below the confidence go to the bigger model; the answer says so, or why it is the own one after all. */
  async function escalate(model: ServedModel, ask: Ask, own: Tensors) {
    const confidences = confidencesOf(own);
    if (!confidences) return undefined;
    const rows = [...confidences.keys()].filter((row) => confidences[row]! < escalation!.below);
    if (rows.length === 0) return undefined;
    const asked = rowsAsked(ask, rows, confidences.length);
    if (!asked) return undefined;
    const { outcome, outputs } = await escalation!.ask(model.name, asked);
    const merged = outputs && mergeRows(own, outputs, rows);
    const told: EscalationOutcome = outputs && !merged ? 'incompatible' : outcome;
    return {
      outputs: merged ?? own,
      parameters: {
        escalation: told,
        escalated_rows: merged ? rows.length : 0,
        confidence: Math.min(...confidences),
      },
    };
  }

  function rowsAsked({ inputs, images: encoded }: Ask, rows: number[], count: number): Tensors | undefined {
    if (encoded) {
      const [name] = Object.keys(inputs);
      // `toBytes` writes BYTES elements of either kind.
      const data = rows.map((row) => encoded[row]!) as unknown as string[];
      return { [name!]: { datatype: 'BYTES', shape: [rows.length], data } };
    }
    if (rowsOf(inputs) !== count) return undefined;
    const parts = splitRows(inputs, Array(count).fill(1) as number[]);
    return joinRows(rows.map((row) => parts[row]!));
  }

  return {
    latencies,
    async infer({ name, version, isEscalated = false }, read) {
      const startMs = performance.now();
      for (;;) {
        const model = modelOf(models, name, version);
        try {
          const ask = read(model);
          const { outputs, parameters, took } = await perform(model, ask, isEscalated, startMs);
          latencies.record(name, performance.now() - startMs, took, clock.nowMs());
          return { model, ask, outputs, parameters };
        } catch (error) {
          // Its successor is there already, since a model is closed only after it was replaced.
          if (error instanceof ModelClosed && models.get(name) !== model) continue;
          latencies.failed(name, performance.now() - startMs);
          throw error;
        }
      }
    },
  };
}
