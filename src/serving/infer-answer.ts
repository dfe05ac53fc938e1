import { type Datatype, type Tensor, toBytes, toJson } from './datatype.ts';
import type { InferRequest } from './inference-protocol.ts';

/** The head of an answer whose outputs all stand behind it as bytes; it holds as long as these look the same. */
export interface AnsweredHead {
  last?: { model: Model; outputs: Described[]; bytes: Buffer } | undefined;
}

interface Model {
  name: string;
  version: string;
}

interface Described {
  name: string;
  datatype: Datatype;
  shape: number[];
  size: number;
}

type Asked = Pick<InferRequest, 'id' | 'outputs' | 'binaryByDefault' | 'answered'>;

/** An answer's body; with `headLength`, so much of it is JSON, and tensors' bytes follow. */
export interface InferAnswer {
  body: Uint8Array<ArrayBuffer>;
  headLength: number | undefined;
}

/** Writes the answer to `request`: JSON, or JSON followed by the outputs that were asked for as binary. */
export function writeInferResponse(
  model: Model,
  request: Asked,
  outputs: Record<string, Tensor>,
  parameters?: Record<string, string | number>,
): InferAnswer {
  const last = request.answered?.last;
  if (last && parameters === undefined && isSame(last, model, request, outputs))
    return joined(
      last.bytes,
      last.outputs.map(({ name }) => toBytes(outputs[name]!.data)),
    );
  const asked =
    request.outputs ?? Object.keys(outputs).map((name) => ({ name, binary: request.binaryByDefault }));
  const binaries: Uint8Array[] = [];
  const sizes: Described[] = [];
  const described = asked.map(({ name, binary }) => {
    const { datatype, shape, data } = outputs[name]!;
    // FP16 has no JSON form: as KServe does, it comes as binary whatever was asked for.
    if (!binary && datatype !== 'FP16') return { name, datatype, shape, data: toJson(datatype, data) };
    const bytes = toBytes(data);
    binaries.push(bytes);
    sizes.push({ name, datatype, shape, size: bytes.length });
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const { name: model_name, version: model_version } = model;
  const head = { model_name, model_version, id: request.id, parameters, outputs: described };
  const bytes = Buffer.from(JSON.stringify(head));
  if (binaries.length === 0) return { body: bytes, headLength: undefined };
  // Strings take another number of bytes every time.
  const isSteady = binaries.length === asked.length && sizes.every(({ datatype }) => datatype !== 'BYTES');
  if (request.answered && parameters === undefined && isSteady)
    request.answered.last = { model: { name: model.name, version: model.version }, outputs: sizes, bytes };
  return joined(bytes, binaries);
}

function isSame(
  last: NonNullable<AnsweredHead['last']>,
  model: Model,
  request: Asked,
  outputs: Record<string, Tensor>,
): boolean {
  if (last.model.name !== model.name || last.model.version !== model.version) return false;
  if (!request.outputs && Object.keys(outputs).length !== last.outputs.length) return false;
  return last.outputs.every(({ name, datatype, shape, size }) => {
    const output = outputs[name];
    return (
      output !== undefined &&
      output.datatype === datatype &&
      !Array.isArray(output.data) &&
      output.data.byteLength === size &&
      output.shape.length === shape.length &&
      output.shape.every((extent, axis) => extent === shape[axis])
    );
  });
}

function joined(head: Buffer, binaries: Uint8Array[]): InferAnswer {
  let length = head.length;
  for (const binary of binaries) length += binary.length;
  const body = new Uint8Array(length);
  body.set(head);
  let at = head.length;
  for (const binary of binaries) {
    body.set(binary, at);
    at += binary.length;
  }
  return { body, headLength: head.length };
}
