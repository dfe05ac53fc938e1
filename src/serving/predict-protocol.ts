import { StatusError } from '../base/errors.ts';
import { fromJson, type Tensor, toJson } from './datatype.ts';
import { expectImageCount, type TensorMetadata, tensorElementsMax } from './inference-protocol.ts';
import { flattenNested, nest, shapeOfNested } from './nested.ts';

export interface PredictRequest {
  inputs: Record<string, Tensor>;
  images: Uint8Array[] | undefined;
  outputs: undefined;
  /** How many instances the client gave one by one; `undefined` if it gave whole columns as `inputs`. */
  instances: number | undefined;
}

/**
 * Reads the body of KServe's V1 `:predict`: `instances`, a list of values or of objects by input name, or `inputs`, the
 * whole tensor of the only input or an object of them. Datatypes are the model's. Throws BadRequest.
 * Source: https://kserve.github.io/website, "V1 Protocol"; https://www.tensorflow.org/tfx/serving/api_rest.
 */
export function readPredictRequest(
  body: Uint8Array,
  expected: TensorMetadata[],
  takesImages = false,
): PredictRequest {
  const { instances, inputs } = parse(body);
  if ((instances === undefined) === (inputs === undefined))
    throw bad('the request must have "instances" (a list, one value for each instance) or "inputs"');
  const rest = { images: undefined, outputs: undefined, instances: undefined };
  if (instances === undefined)
    return { ...rest, inputs: toTensors(columns(inputs, expected), expected, 'inputs') };
  if (!Array.isArray(instances) || instances.length === 0)
    throw bad('instances: must be a list with at least one value');
  if (takesImages && isImage(instances[0])) return readImages(instances);
  return {
    ...rest,
    inputs: toTensors(rows(instances, expected), expected, 'instances'),
    instances: instances.length,
  };
}

/** A request of encoded images, as a body of its own or as instances. */
export function imagesRequest(images: Uint8Array[]): PredictRequest {
  return { inputs: {}, images, outputs: undefined, instances: images.length };
}

function isImage(instance: unknown): instance is string | { b64: string } {
  return typeof instance === 'string' || isBase64(instance);
}

function readImages(instances: unknown[]): PredictRequest {
  expectImageCount(instances.length, 1, 'instances');
  const images = instances.map((instance, i) => {
    if (!isImage(instance)) throw bad(`instances[${i}]: must be an image as {"b64": "…"}, like instances[0]`);
    return Buffer.from(typeof instance === 'string' ? instance : instance.b64, 'base64');
  });
  return imagesRequest(images);
}

/** The answer's body: each instance's prediction, by output name where the model has several outputs. */
export function writePredictResponse(
  { instances }: Pick<PredictRequest, 'inputs' | 'instances'>,
  outputs: Record<string, Tensor>,
  parameters?: Record<string, string | number>,
): Uint8Array<ArrayBuffer> {
  const values = Object.entries(outputs).map(
    ([name, { datatype, shape, data }]) => [name, nest(toJson(datatype, data), shape)] as const,
  );
  const isByInstance =
    instances !== undefined && Object.values(outputs).every(({ shape }) => shape[0] === instances);
  let predictions: unknown = Object.fromEntries(values);
  if (values.length === 1) predictions = values[0]![1];
  else if (isByInstance) {
    predictions = Array.from({ length: instances }, (_, row) =>
      Object.fromEntries(values.map(([name, all]) => [name, (all as unknown[])[row]])),
    );
  }
  return Buffer.from(JSON.stringify({ predictions, parameters }));
}

function parse(body: Uint8Array): { instances?: unknown; inputs?: unknown } {
  let request: unknown;
  try {
    request = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw bad(`the request is not JSON: ${(error as Error).message}`);
  }
  if (!isRecord(request)) throw bad('the request must be an object with "instances" or "inputs"');
  return request;
}

function columns(inputs: unknown, expected: TensorMetadata[]): Map<string, unknown> {
  return isRecord(inputs) ? new Map(Object.entries(inputs)) : new Map([[onlyInput(expected), inputs]]);
}

function rows(instances: unknown[], expected: TensorMetadata[]): Map<string, unknown> {
  if (!isRecord(instances[0]) || isBase64(instances[0])) return new Map([[onlyInput(expected), instances]]);
  const names = Object.keys(instances[0]);
  const values = new Map<string, unknown[]>(names.map((name) => [name, []]));
  for (const [i, instance] of instances.entries()) {
    const isSame =
      isRecord(instance) &&
      Object.keys(instance).length === names.length &&
      names.every((name) => Object.hasOwn(instance, name));
    if (!isSame) throw bad(`instances[${i}]: must name the same inputs as instances[0]: ${names.join(', ')}`);
    for (const name of names) values.get(name)!.push(instance[name]);
  }
  return values;
}

function onlyInput(expected: TensorMetadata[]): string {
  if (expected.length === 1) return expected[0]!.name;
  const names = expected.map(({ name }) => `"${name}"`).join(', ');
  throw bad(`the model has ${expected.length} inputs, so each value must be an object with ${names}`);
}

function toTensors(values: Map<string, unknown>, expected: TensorMetadata[], where: string) {
  const tensors: Record<string, Tensor> = {};
  for (const [name, value] of values) {
    const input = expected.find((candidate) => candidate.name === name);
    if (!input)
      throw bad(
        `the model has no input "${name}"; its inputs are ${expected.map((each) => `"${each.name}"`)}`,
      );
    const place = values.size === 1 ? where : `${where}.${name}`;
    const shape = shapeOfNested(value, place);
    const count = shape.reduce((product, extent) => product * extent, 1);
    if (count > tensorElementsMax) throw bad(`${place}: more than the ${tensorElementsMax} elements allowed`);
    let flat = flattenNested(value, shape, place);
    if (input.datatype === 'BYTES') flat = flat.map((each) => decodeBase64(each));
    tensors[name] = { datatype: input.datatype, shape, data: fromJson(input.datatype, flat, count, place) };
  }
  return tensors;
}

/** Text that JSON can't hold comes as `{"b64": "…"}`. */
function decodeBase64(value: unknown): unknown {
  return isBase64(value) ? Buffer.from(value.b64, 'base64').toString() : value;
}

function isBase64(value: unknown): value is { b64: string } {
  return isRecord(value) && typeof value.b64 === 'string' && Object.keys(value).length === 1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}
