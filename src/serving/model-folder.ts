import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StatusError } from '../base/errors.ts';

export interface ModelFolder {
  /** A plain ONNX model, its weights inside. */
  onnx: Uint8Array;
  labels: string[] | undefined;
}

/**
 * Reads a model as an artifact's volume shows it: `graph.onnx` (f), `weights.safetensors` (θ) and `config.json`; or a
 * `model.onnx` of anybody's. Throws NotFound when there is neither, BadRequest when the parts do not fit.
 */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const config = await readConfig(join(folder, 'config.json'));
  const labels = Array.isArray(config.labels) ? config.labels.map(String) : undefined;
  if (existsSync(join(folder, 'graph.onnx'))) {
    const [graph, weights] = await Promise.all(
      ['graph.onnx', 'weights.safetensors'].map((name) => readFile(join(folder, name))),
    );
    const { bake } = await import('../ml/portable.ts');
    try {
      return { onnx: bake(graph!, weights!), labels };
    } catch (error) {
      throw new StatusError('BadRequest', `${folder}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (existsSync(join(folder, 'model.onnx')))
    return { onnx: await readFile(join(folder, 'model.onnx')), labels };
  throw new StatusError(
    'NotFound',
    `no model in ${folder}: expected graph.onnx with weights.safetensors, or model.onnx; is storageUri a model artifact?`,
  );
}

async function readConfig(path: string): Promise<{ labels?: unknown }> {
  return existsSync(path) ? JSON.parse(await readFile(path, 'utf8')) : {};
}
