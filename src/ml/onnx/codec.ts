import { ProtobufReader, ProtobufWriter, wire } from './protobuf.ts';
import { type Field, type MessageName, type ModelProto, messages } from './schema.ts';

/** Encodes an ONNX model; the same model always gives the same bytes. */
export function encodeModel(model: ModelProto): Uint8Array {
  return encode('Model', model as Message);
}

/** Decodes an ONNX model. Fields outside the schema are kept and written back by `encodeModel`.
 * @throws Error where the bytes are no ONNX model. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  try {
    const model = decode('Model', bytes) as ModelProto;
    if (model.graph) return model;
  } catch (cause) {
    throw new Error(`These ${bytes.length} bytes are not an ONNX model: ${(cause as Error).message}`, {
      cause,
    });
  }
  throw new Error(`These ${bytes.length} bytes are not an ONNX model: they hold no graph`);
}

/** Fields that the schema does not name, as they stood in the bytes. */
const unknown = Symbol('unknown fields');
type Message = Record<string, unknown> & { [unknown]?: Uint8Array[] };

function encode(name: MessageName, message: Message): Uint8Array {
  const writer = new ProtobufWriter();
  for (const [key, field] of Object.entries(messages[name])) {
    const value = message[key];
    if (value === undefined) continue;
    for (const item of field.repeated ? (value as unknown[]) : [value]) encodeField(writer, field, item);
  }
  for (const bytes of message[unknown] ?? []) writer.raw(bytes);
  return writer.finish();
}

function encodeField(writer: ProtobufWriter, field: Field, value: unknown): void {
  if (field.type === 'int') {
    writer.tag(field.number, wire.varint);
    writer.varint(value as number);
  } else if (field.type === 'float') {
    writer.tag(field.number, wire.fixed32);
    writer.float(value as number);
  } else {
    writer.tag(field.number, wire.bytes);
    writer.bytes(lengthDelimited(field.type, value));
  }
}

function lengthDelimited(type: Field['type'], value: unknown): Uint8Array {
  if (type === 'string') return new TextEncoder().encode(value as string);
  if (type === 'bytes') return value as Uint8Array;
  return encode(type as MessageName, value as Message);
}

function decode(name: MessageName, bytes: Uint8Array): Message {
  const fields = fieldsByNumber(name);
  const message: Message = {};
  const reader = new ProtobufReader(bytes);
  while (!reader.done) {
    const start = reader.position;
    const tag = reader.varint();
    const wireType = tag & 7;
    const entry = fields.get(tag >>> 3);
    if (!entry) {
      reader.skip(wireType);
      message[unknown] ??= [];
      message[unknown].push(reader.slice(start));
      continue;
    }
    const [key, field] = entry;
    if (!field.repeated) message[key] = decodeField(reader, field);
    else {
      message[key] ??= [];
      decodeRepeated(reader, field, wireType, message[key] as unknown[]);
    }
  }
  return message;
}

/** Numbers may come packed (one length-delimited run) or one a tag. */
function decodeRepeated(reader: ProtobufReader, field: Field, wireType: number, into: unknown[]): void {
  const isNumber = field.type === 'int' || field.type === 'float';
  if (!isNumber || wireType !== wire.bytes) {
    into.push(decodeField(reader, field));
    return;
  }
  const packed = new ProtobufReader(reader.bytes());
  while (!packed.done) into.push(decodeField(packed, field));
}

function decodeField(reader: ProtobufReader, field: Field): unknown {
  if (field.type === 'int') return reader.varint();
  if (field.type === 'float') return reader.float();
  if (field.type === 'string') return new TextDecoder().decode(reader.bytes());
  if (field.type === 'bytes') return reader.bytes();
  return decode(field.type, reader.bytes());
}

const indexes = new Map<MessageName, Map<number, [string, Field]>>();

function fieldsByNumber(name: MessageName): Map<number, [string, Field]> {
  let index = indexes.get(name);
  if (!index) {
    const entries = Object.entries(messages[name]);
    index = new Map(entries.map((entry) => [entry[1].number, entry]));
    indexes.set(name, index);
  }
  return index;
}
