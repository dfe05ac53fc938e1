import { isUtf8 } from 'node:buffer';
import { StatusError } from '../base/errors.ts';
import {
  fromBytes,
  fromJson,
  isDatatype,
  readElements,
  type Tensor,
  toBytes,
  toJson,
  widened,
} from './datatype.ts';
import { shown } from './nested.ts';

/** One input or output of a model; -1 in `shape` stands for any extent. */
export interface TensorMetadata {
  name: string;
  datatype: Tensor['datatype'];
  shape: number[];
}

export interface InferRequest {
  id: string | undefined;
  inputs: Record<string, Tensor>;
  /** What came as BYTES for a model that takes images. */
  images: Uint8Array[] | undefined;
  /** The outputs asked for, in order; `undefined` means all. */
  outputs: { name: string; binary: boolean }[] | undefined;
  binaryByDefault: boolean;
}

export const tensorElementsMax = 64 * 1024 * 1024;
/** Of one request. */
export const imagesMax = 64;

/**
 * Reads an infer request, JSON or with binary tensors behind the JSON (`headLength` bytes of it).
 * Source: https://github.com/kserve/open-inference-protocol and its binary tensor data extension.
 */
export function readInferRequest(
  body: Uint8Array,
  headLength: number | undefined,
  takesImages = false,
): InferRequest {
  if (headLength !== undefined && headLength > body.length) {
    throw bad(`Inference-Header-Content-Length is ${headLength}, but the body has only ${body.length} bytes`);
  }
  const head = parseObject(body.subarray(0, headLength));
  let binary = body.subarray(headLength ?? body.length);
  const inputs: Record<string, Tensor> = {};
  let images: Uint8Array[] | undefined;
  if (!Array.isArray(head.inputs) || head.inputs.length === 0)
    throw bad('inputs: at least one tensor is needed');
  for (const [i, input] of head.inputs.entries()) {
    const where = `inputs[${i}]`;
    const { name, datatype, shape, count } = readTensorHead(input, where);
    const isImages = takesImages && datatype === 'BYTES';
    if (isImages) expectImageCount(count, head.inputs.length, where);
    if (Object.hasOwn(inputs, name)) throw bad(`${where}: "${name}" is given twice`);
    const size = asObject(input.parameters ?? {}, `${where}.parameters`).binary_data_size;
    if (size === undefined) {
      if (datatype === 'FP16' || datatype === 'BF16')
        throw bad(`${where}: ${datatype} has no JSON form, send it as binary data`);
      const data = fromJson(datatype, input.data, count, where);
      if (isImages) images = (data as string[]).map((text) => Buffer.from(text, 'base64'));
      else inputs[name] = { datatype, shape, data };
    } else {
      if (!isCount(size) || size > binary.length) {
        throw bad(
          `${where}: binary_data_size is ${shown(size)}, but ${binary.length} bytes are left in the body`,
        );
      }
      if (input.data !== undefined) throw bad(`${where}: has both data and binary_data_size`);
      const bytes = binary.subarray(0, size);
      if (isImages) images = readElements(bytes, count, where);
      else if (datatype === 'BF16')
        inputs[name] = { datatype: 'FP32', shape, data: widened(bytes, count, where) };
      else inputs[name] = { datatype, shape, data: fromBytes(datatype, bytes, count, where) };
      binary = binary.subarray(size);
    }
  }
  if (binary.length > 0) throw bad(`${binary.length} bytes are left after the last binary tensor`);
  if (head.id !== undefined && typeof head.id !== 'string') throw bad('id: must be a string');
  const binaryByDefault = readFlag(head.parameters, 'binary_data_output', 'parameters') ?? false;
  return {
    id: head.id,
    inputs,
    images,
    outputs: readOutputs(head.outputs, binaryByDefault),
    binaryByDefault,
  };
}

/** Images are the only input, one or more. Throws BadRequest. */
export function expectImageCount(count: number, inputs: number, where: string): void {
  if (inputs !== 1) throw bad(`${where}: images must be the only input`);
  if (count < 1 || count > imagesMax)
    throw bad(`${where}: 1 to ${imagesMax} images are allowed, got ${count}`);
}

/** Reads a JSON object. Throws BadRequest. */
export function parseObject(bytes: Uint8Array): Record<string, unknown> {
  try {
    // What is not UTF-8 would be read with other characters in its place. Quicker than a TextDecoder.
    if (!isUtf8(bytes)) throw bad('the request is not JSON: it is not UTF-8');
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    return asObject(JSON.parse(text), 'the request');
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw bad(`the request is not JSON: ${(error as Error).message}`);
  }
}

function readTensorHead(input: unknown, where: string) {
  const { name, datatype, shape } = asObject(input, where);
  if (typeof name !== 'string' || name === '') throw bad(`${where}.name: must be a non-empty string`);
  if (!isSent(datatype)) throw bad(`${where}.datatype: ${shown(datatype)} is no datatype of the protocol`);
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw bad(`${where}.shape: must be an array of non-negative integers`);
  return { name, datatype, shape: shape as number[], count: countOf(shape, where) };
}

/** What may be sent: BF16 too, which is widened at once. */
function isSent(datatype: unknown): datatype is Tensor['datatype'] | 'BF16' {
  return datatype === 'BF16' || isDatatype(datatype);
}

/** The elements of a shape. Throws BadRequest beyond `tensorElementsMax`. */
export function countOf(shape: number[], where: string): number {
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (count > tensorElementsMax)
    throw bad(`${where}.shape: ${count} elements are more than the ${tensorElementsMax} allowed`);
  return count;
}

function readOutputs(outputs: unknown, binaryByDefault: boolean): InferRequest['outputs'] {
  if (outputs === undefined) return undefined;
  if (!Array.isArray(outputs)) throw bad('outputs: must be an array');
  if (outputs.length === 0) return undefined;
  const names = new Set<string>();
  return outputs.map((output, i) => {
    const { name, parameters } = asObject(output, `outputs[${i}]`);
    if (typeof name !== 'string') throw bad(`outputs[${i}].name: must be a string`);
    if (names.has(name)) throw bad(`outputs[${i}]: "${name}" is asked for twice`);
    names.add(name);
    const binary = readFlag(parameters, 'binary_data', `outputs[${i}].parameters`);
    return { name, binary: binary ?? binaryByDefault };
  });
}

/** A parameter that is true, false or not there; others belong to extensions that are not offered, and are passed over. */
function readFlag(parameters: unknown, name: string, where: string): boolean | undefined {
  const value = asObject(parameters ?? {}, where)[name];
  if (value !== undefined && typeof value !== 'boolean')
    throw bad(`${where}.${name}: must be true or false, got ${shown(value)}`);
  return value;
}

/** Writes the answer to `request`: JSON, or JSON followed by the outputs that were asked for as binary. */
export function writeInferResponse(
  model: { name: string; version: string },
  request: Pick<InferRequest, 'id' | 'outputs' | 'binaryByDefault'>,
  outputs: Record<string, Tensor>,
  parameters?: Record<string, string | number>,
): { body: Uint8Array<ArrayBuffer>; headLength: number | undefined } {
  const asked =
    request.outputs ?? Object.keys(outputs).map((name) => ({ name, binary: request.binaryByDefault }));
  const binaries: Uint8Array[] = [];
  const described = asked.map(({ name, binary }) => {
    const { datatype, shape, data } = outputs[name]!;
    // FP16 has no JSON form: as KServe does, it comes as binary whatever was asked for.
    if (!binary && datatype !== 'FP16') return { name, datatype, shape, data: toJson(datatype, data) };
    const bytes = toBytes(data);
    binaries.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const head = {
    model_name: model.name,
    model_version: model.version,
    id: request.id,
    parameters,
    outputs: described,
  };
  const headBytes = Buffer.from(JSON.stringify(head));
  if (binaries.length === 0) return { body: headBytes, headLength: undefined };
  return { body: Buffer.concat([headBytes, ...binaries]), headLength: headBytes.length };
}

/** Refuses inputs that the model does not take, in words. */
export function checkInputs(
  expected: TensorMetadata[],
  request: { inputs: Record<string, Tensor>; outputs: { name: string }[] | undefined },
  outputs: TensorMetadata[],
): void {
  for (const name of Object.keys(request.inputs)) {
    if (!expected.some((input) => input.name === name))
      throw bad(`the model has no input "${name}"; its inputs are ${names(expected)}`);
  }
  for (const { name, datatype, shape } of expected) {
    const given = request.inputs[name];
    if (!given) throw bad(`input "${name}" is missing; the model's inputs are ${names(expected)}`);
    if (given.datatype !== datatype) throw bad(`input "${name}" must be ${datatype}, got ${given.datatype}`);
    const fits =
      shape.length === given.shape.length &&
      shape.every((extent, i) => extent === -1 || extent === given.shape[i]);
    if (!fits) throw bad(`input "${name}" must have shape [${shape}] (-1: any), got [${given.shape}]`);
  }
  for (const { name } of request.outputs ?? []) {
    if (!outputs.some((output) => output.name === name)) {
      throw bad(`the model has no output "${name}"; its outputs are ${names(outputs)}`);
    }
  }
}

function names(tensors: TensorMetadata[]): string {
  return tensors.map(({ name }) => `"${name}"`).join(', ');
}

function asObject(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`${where}: must be an object`);
  return value as Record<string, unknown>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}
