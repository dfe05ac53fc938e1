import { StatusError } from '../../base/errors.ts';
import { readClassCount } from '../classification.ts';
import {
  decodeText,
  fromBytes,
  fromJson,
  isDatatype,
  readElements,
  type Tensor,
  toBytes,
  widened,
} from '../datatype.ts';
import type { Ask } from '../inference.ts';
import { countOf, expectImageCount, refuseSharedMemory } from '../inference-protocol.ts';
import { shown } from '../nested.ts';
import type { Value } from './wire.ts';

/** Which of the typed contents holds a datatype; FP16 and BF16 have none and come raw. */
const contentsOf: Record<string, string> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

export interface GrpcAsk extends Ask {
  id: string;
}

/** Reads a decoded ModelInferRequest. Throws BadRequest. */
export function readGrpcRequest(request: Value, takesImages: boolean): GrpcAsk {
  const given = (request.inputs ?? []) as Value[];
  const raw = request.raw_input_contents as Uint8Array[] | undefined;
  if (given.length === 0) throw bad('inputs: at least one tensor is needed');
  if (raw && raw.length !== given.length)
    throw bad(`raw_input_contents has ${raw.length} elements, but there are ${given.length} inputs`);
  const inputs: Record<string, Tensor> = {};
  let images: Uint8Array[] | undefined;
  for (const [i, input] of given.entries()) {
    const where = `inputs[${i}]`;
    const {
      name = '',
      datatype,
      shape = [],
      contents,
      parameters,
    } = input as {
      name?: string;
      datatype?: string;
      shape?: number[];
      contents?: Value;
      parameters?: Value;
    };
    refuseSharedMemory(parameters ?? {}, where);
    if (name === '') throw bad(`${where}.name: must be a non-empty string`);
    if (Object.hasOwn(inputs, name)) throw bad(`${where}: "${name}" is given twice`);
    if (shape.some((extent) => extent < 0)) throw bad(`${where}.shape: must be non-negative integers`);
    const count = countOf(shape, where);
    if (raw && hasContents(contents)) throw bad(`${where}: has contents beside raw_input_contents`);
    if (takesImages && datatype === 'BYTES') {
      expectImageCount(count, given.length, where);
      images = raw ? readElements(raw[i]!, count, where) : typedElements(contents, count, where);
    } else inputs[name] = readTensor(datatype, shape, count, raw ? raw[i]! : contents, where);
  }
  const outputs = (request.outputs as Value[] | undefined)?.map(readOutput);
  return { id: (request.id as string | undefined) ?? '', inputs, images, outputs };
}

function readOutput(
  { name = '', parameters }: Value,
  i: number,
): { name: string; classes?: number | undefined } {
  const told = parameters as Record<string, Value> | undefined;
  refuseSharedMemory(told ?? {}, `outputs[${i}]`);
  const classification = told?.classification;
  const classes =
    classification && readClassCount(classification.int64_param ?? classification, `outputs[${i}]`);
  return { name: name as string, classes };
}

function readTensor(
  datatype: string | undefined,
  shape: number[],
  count: number,
  source: Uint8Array | Value | undefined,
  where: string,
): Tensor {
  if (source instanceof Uint8Array) {
    if (datatype === 'BF16') return { datatype: 'FP32', shape, data: widened(source, count, where) };
    if (isDatatype(datatype)) return { datatype, shape, data: fromBytes(datatype, source, count, where) };
  }
  if (datatype === 'FP16' || datatype === 'BF16')
    throw bad(`${where}: ${datatype} has no typed contents, send it in raw_input_contents`);
  if (!isDatatype(datatype))
    throw bad(`${where}.datatype: ${shown(datatype)} is no datatype of the protocol`);
  const contents = (source ?? {}) as Value;
  const field = contentsOf[datatype]!;
  for (const other of Object.keys(contents))
    if (other !== field) throw bad(`${where}: ${datatype} belongs into ${field}, not ${other}`);
  const values = (contents[field] ?? []) as unknown[];
  if (values.length !== count)
    throw bad(`${where}: the shape holds ${count} elements, ${field} has ${values.length}`);
  if (datatype === 'INT64') return { datatype, shape, data: BigInt64Array.from(values as bigint[]) };
  if (datatype === 'UINT64') return { datatype, shape, data: BigUint64Array.from(values as bigint[]) };
  if (datatype === 'BYTES') {
    const data = (values as Uint8Array[]).map((bytes, k) => decodeText(bytes, `${where}: element ${k}`));
    return { datatype, shape, data };
  }
  return { datatype, shape, data: fromJson(datatype, values, count, where) };
}

function typedElements(contents: Value | undefined, count: number, where: string): Uint8Array[] {
  const elements = (contents?.bytes_contents ?? []) as Uint8Array[];
  if (elements.length !== count)
    throw bad(`${where}: the shape holds ${count} elements, bytes_contents has ${elements.length}`);
  return elements;
}

function hasContents(contents: Value | undefined): boolean {
  return Object.values(contents ?? {}).some((values) => (values as unknown[]).length > 0);
}

/** The outputs that were asked for as ModelInferResponse has them: raw, as Triton answers. */
export function writeGrpcOutputs(outputs: Record<string, Tensor>, asked: { name: string }[] | undefined) {
  const names = asked && asked.length > 0 ? asked.map(({ name }) => name) : Object.keys(outputs);
  return {
    outputs: names.map((name) => {
      const { datatype, shape } = outputs[name]!;
      return { name, datatype, shape };
    }),
    raw_output_contents: names.map((name) => toBytes(outputs[name]!.data)),
  };
}

/** Parameters of the answer as InferParameter. */
export function writeParameters(parameters: Record<string, string | number> | undefined): Value | undefined {
  if (!parameters) return undefined;
  const entries = Object.entries(parameters).map(([name, value]) => {
    if (typeof value === 'string') return [name, { string_param: value }];
    return [name, Number.isInteger(value) ? { int64_param: value } : { double_param: value }];
  });
  return Object.fromEntries(entries);
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}
