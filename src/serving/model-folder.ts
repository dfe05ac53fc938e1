import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StatusError } from '../base/errors.ts';
import type { DataStatistics } from '../ml/export/statistics.ts';
import {
  checkPostprocess,
  checkPreprocess,
  type PostprocessStep,
  type PreprocessStep,
} from '../ml/export/steps.ts';
import { checkStatistics } from './quality/drift.ts';

export interface ModelFolder {
  /** A plain ONNX model, its weights inside. */
  onnx: Uint8Array;
  labels: string[] | undefined;
  settings: ModelSettings;
}

/** All that a model's folder may have. */
export const modelFiles = ['graph.onnx', 'weights.safetensors', 'model.onnx', 'config.json'];

/** What an artifact says beyond its graph. */
export interface ModelSettings {
  preprocess: PreprocessStep[];
  postprocess: PostprocessStep[];
  statistics: DataStatistics | undefined;
  /** SHA-256 of θ, the file `weights.safetensors` or `model.onnx`. */
  weightsDigest: string | undefined;
}

export const noSettings: ModelSettings = {
  preprocess: [],
  postprocess: [],
  statistics: undefined,
  weightsDigest: undefined,
};

/**
 * Reads a model as an artifact's volume shows it: `graph.onnx` (f), `weights.safetensors` (θ) and `config.json`; or a
 * `model.onnx` of anybody's. Throws NotFound when there is neither, BadRequest when the parts do not fit.
 */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const config = await readConfig(folder);
  const labels = Array.isArray(config.labels) ? config.labels.map(String) : undefined;
  const settings = readSettings(folder, config, labels);
  if (existsSync(join(folder, 'graph.onnx'))) {
    const [graph, weights] = await Promise.all(
      ['graph.onnx', 'weights.safetensors'].map((name) => readFile(join(folder, name))),
    );
    const { bake } = await import('../ml/portable.ts');
    try {
      return {
        onnx: bake(graph!, weights!),
        labels,
        settings: { ...settings, weightsDigest: digestOf(weights!) },
      };
    } catch (error) {
      throw new StatusError('BadRequest', `${folder}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (existsSync(join(folder, 'model.onnx'))) {
    const onnx = await readFile(join(folder, 'model.onnx'));
    return { onnx, labels, settings: { ...settings, weightsDigest: digestOf(onnx) } };
  }
  throw new StatusError(
    'NotFound',
    `no model in ${folder}: expected graph.onnx with weights.safetensors, or model.onnx; is storageUri a model artifact?`,
  );
}

/** SHA-256 of the θ that lies in the folder, of a model or not; `undefined`: none can be read. */
export async function weightsDigestOf(folder: string): Promise<string | undefined> {
  for (const name of ['weights.safetensors', 'model.onnx']) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes) return digestOf(bytes);
  }
  return undefined;
}

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'config.json');
  if (!existsSync(path)) return {};
  try {
    const config: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof config === 'object' && config !== null) return config as Record<string, unknown>;
  } catch (error) {
    throw new StatusError('BadRequest', `${path} is not JSON: ${(error as Error).message}`);
  }
  throw new StatusError('BadRequest', `${path} must be a JSON object`);
}

function readSettings(
  folder: string,
  config: Record<string, unknown>,
  labels: string[] | undefined,
): ModelSettings {
  try {
    const postprocess = checkPostprocess(config.postprocess);
    if (!labels && postprocess.some(({ op }) => op === 'labels'))
      throw new Error('postprocess: the labels step needs "labels"');
    const preprocess = checkPreprocess(config.preprocess);
    return {
      preprocess,
      postprocess,
      statistics: checkStatistics(config.statistics),
      weightsDigest: undefined,
    };
  } catch (error) {
    throw new StatusError('BadRequest', `${folder}/config.json: ${(error as Error).message}`);
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
