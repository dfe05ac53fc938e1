import { isUtf8 } from 'node:buffer';
import { StatusError } from '../base/errors.ts';
import { readClassCount } from './classification.ts';
import { fromBytes, fromJson, isDatatype, readElements, type Tensor, widened } from './datatype.ts';
import type { AnsweredHead } from './infer-answer.ts';
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
  outputs: AskedOutput[] | undefined;
  binaryByDefault: boolean;
  /** Where the answer's head is kept for the next request with the same head. */
  answered?: AnsweredHead | undefined;
}

export interface AskedOutput {
  name: string;
  binary: boolean;
  /** So many of the highest values as text, in place of the tensor: Triton's classification extension. */
  classes?: number | undefined;
}

/** The JSON of a request, without what stands in the bytes behind it. */
export interface InferHead {
  id: string | undefined;
  tensors: TensorHead[];
  outputs: AskedOutput[] | undefined;
  binaryByDefault: boolean;
  answered?: AnsweredHead | undefined;
}

interface TensorHead {
  name: string;
  datatype: Tensor['datatype'] | 'BF16';
  shape: number[];
  /** The elements of `shape`. */
  count: number;
  /** Of its bytes behind the JSON; `undefined`: it has `data`. */
  size: number | undefined;
  data: unknown;
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
  readHead = readInferHead,
): InferRequest {
  if (headLength !== undefined && headLength > body.length) {
    throw bad(`Inference-Header-Content-Length is ${headLength}, but the body has only ${body.length} bytes`);
  }
  let at = headLength ?? body.length;
  const { id, tensors, outputs, binaryByDefault, answered } = readHead(body.subarray(0, at));
  const inputs: Record<string, Tensor> = {};
  let images: Uint8Array[] | undefined;
  for (let i = 0; i < tensors.length; i++) {
    const { name, datatype, shape, count, size, data } = tensors[i]!;
    const where = `inputs[${i}]`;
    const isImages = takesImages && datatype === 'BYTES';
    if (isImages) expectImageCount(count, tensors.length, where);
    if (size === undefined) {
      // FP16 and BF16 were refused with the head.
      const values = fromJson(datatype as Tensor['datatype'], data, count, where);
      if (isImages) images = (values as string[]).map((text) => Buffer.from(text, 'base64'));
      else inputs[name] = { datatype: datatype as Tensor['datatype'], shape, data: values };
      continue;
    }
    if (size > body.length - at) {
      throw bad(`${where}: binary_data_size is ${size}, but ${body.length - at} bytes are left in the body`);
    }
    if (data !== undefined) throw bad(`${where}: has both data and binary_data_size`);
    const bytes = body.subarray(at, at + size);
    if (isImages) images = readElements(bytes, count, where);
    else if (datatype === 'BF16')
      inputs[name] = { datatype: 'FP32', shape, data: widened(bytes, count, where) };
    else inputs[name] = { datatype, shape, data: fromBytes(datatype, bytes, count, where) };
    at += size;
  }
  if (at < body.length) throw bad(`${body.length - at} bytes are left after the last binary tensor`);
  return { id, inputs, images, outputs, binaryByDefault, answered };
}

/** Reads the JSON of an infer request, all but tensors' data. Throws BadRequest. */
export function readInferHead(bytes: Uint8Array): InferHead {
  const head = parseObject(bytes);
  if (!Array.isArray(head.inputs) || head.inputs.length === 0)
    throw bad('inputs: at least one tensor is needed');
  const names = new Set<string>();
  const tensors = head.inputs.map((input, i) => {
    const tensor = readTensorHead(input, `inputs[${i}]`);
    if (names.has(tensor.name)) throw bad(`inputs[${i}]: "${tensor.name}" is given twice`);
    names.add(tensor.name);
    return tensor;
  });
  if (head.id !== undefined && typeof head.id !== 'string') throw bad('id: must be a string');
  const binaryByDefault = readFlag(head.parameters, 'binary_data_output', 'parameters') ?? false;
  return { id: head.id, tensors, outputs: readOutputs(head.outputs, binaryByDefault), binaryByDefault };
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

function readTensorHead(input: unknown, where: string): TensorHead {
  const { name, datatype, shape, data, parameters } = asObject(input, where);
  if (typeof name !== 'string' || name === '') throw bad(`${where}.name: must be a non-empty string`);
  if (!isSent(datatype)) throw bad(`${where}.datatype: ${shown(datatype)} is no datatype of the protocol`);
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw bad(`${where}.shape: must be an array of non-negative integers`);
  const count = countOf(shape as number[], where);
  const told = asObject(parameters ?? {}, `${where}.parameters`);
  refuseSharedMemory(told, where);
  const { binary_data_size: size } = told;
  if (size === undefined && (datatype === 'FP16' || datatype === 'BF16'))
    throw bad(`${where}: ${datatype} has no JSON form, send it as binary data`);
  if (size !== undefined && !isCount(size))
    throw bad(`${where}: binary_data_size must be a number of bytes, got ${shown(size)}`);
  return { name, datatype, shape: shape as number[], count, size, data };
}

/** Client and server are on different machines, or in different isolates of one. Throws BadRequest. */
export function refuseSharedMemory(parameters: Record<string, unknown>, where: string): void {
  if (parameters.shared_memory_region !== undefined)
    throw bad(`${where}: shared memory is not offered here; send the tensor's bytes in the request`);
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

function readOutputs(outputs: unknown, binaryByDefault: boolean): AskedOutput[] | undefined {
  if (outputs === undefined) return undefined;
  if (!Array.isArray(outputs)) throw bad('outputs: must be an array');
  if (outputs.length === 0) return undefined;
  const names = new Set<string>();
  return outputs.map((output, i) => {
    const where = `outputs[${i}]`;
    const { name, parameters } = asObject(output, where);
    if (typeof name !== 'string') throw bad(`${where}.name: must be a string`);
    if (names.has(name)) throw bad(`${where}: "${name}" is asked for twice`);
    names.add(name);
    const told = asObject(parameters ?? {}, `${where}.parameters`);
    refuseSharedMemory(told, where);
    const binary = readFlag(told, 'binary_data', `${where}.parameters`);
    const classes = readClassCount(told.classification, where);
    return { name, binary: binary ?? binaryByDefault, classes };
  });
}

/** A parameter that is true, false or not there; others belong to extensions that are not offered, and are passed over. */
function readFlag(parameters: unknown, name: string, where: string): boolean | undefined {
  const value = asObject(parameters ?? {}, where)[name];
  if (value !== undefined && typeof value !== 'boolean')
    throw bad(`${where}.${name}: must be true or false, got ${shown(value)}`);
  return value;
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
