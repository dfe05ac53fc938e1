import { StatusError } from '../../base/errors.ts';
import type { DataForm } from './round-folder.ts';
import type { Figures } from './rounds.ts';

/*
 * The coordinator's HTTP, which the mesh encrypts between nodes. With `authorization: Bearer <token>` a client may
 *   POST /v1/clients/<name>/data                      say what its examples look like (DataForm)
 *   GET  /v1/clients/<name>/task                      learn what to do (Task)
 *   GET  /v1/clients/<name>/rounds/<n>/weights        get the weights (safetensors)
 *   PUT  /v1/clients/<name>/rounds/<n>/update         send what it changed (safetensors), with the headers below
 *   GET  /v1/clients/<name>/serving                   get the model in service (ONNX), where they are compared
 *   PUT  /v1/clients/<name>/rounds/<n>/figures        send what it measured of the final weights (Figures)
 */

export const samplesHeader = 'selvage-samples';
export const figuresHeader = 'selvage-figures';

const metricsMax = 32;
const problemCharactersMax = 500;
const dimensionsMax = 8;
const classesMax = 10_000;

/** @throws StatusError where it is none. */
export function readFigures(text: string): Figures {
  const { examples, metrics, serving } = parse<Figures>(text);
  const isSound =
    Number.isInteger(examples) &&
    examples > 0 &&
    areMetrics(metrics) &&
    (serving === undefined || areMetrics(serving?.metrics) || typeof serving?.problem === 'string');
  if (!isSound)
    throw new StatusError('Invalid', 'figures must be { examples, metrics: { name: number, … }, serving? }');
  if (!serving) return { examples, metrics };
  const { metrics: theirs, problem } = serving;
  return {
    examples,
    metrics,
    serving: theirs ? { metrics: theirs } : { problem: problem!.slice(0, problemCharactersMax) },
  };
}

function areMetrics(metrics: unknown): metrics is Record<string, number> {
  if (typeof metrics !== 'object' || metrics === null) return false;
  const entries = Object.entries(metrics);
  return (
    entries.length <= metricsMax &&
    entries.every(([name, value]) => name.length <= 100 && Number.isFinite(value))
  );
}

/** @throws StatusError where it is none. */
export function readDataForm(text: string): DataForm {
  const { shape, classNames } = parse<DataForm>(text);
  const isSound =
    Array.isArray(shape) &&
    shape.length <= dimensionsMax &&
    shape.every((dim) => Number.isInteger(dim) && dim > 0) &&
    (classNames === undefined ||
      (Array.isArray(classNames) &&
        classNames.length <= classesMax &&
        classNames.every((name) => typeof name === 'string')));
  if (!isSound) throw new StatusError('Invalid', 'expected { shape: [number, …], classNames?: [string, …] }');
  return { shape, ...(classNames && { classNames }) };
}

function parse<T extends object>(text: string): Partial<T> & T {
  try {
    const value: unknown = JSON.parse(text);
    // What it holds is checked by the caller.
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {}
  throw new StatusError('BadRequest', 'the body is no JSON object');
}
