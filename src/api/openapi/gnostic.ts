import { Protobuf } from './protobuf.ts';

type Fields = Record<string, unknown>;
type Encode = (value: never) => Uint8Array;

/**
 * An OpenAPI 2.0 document in the protocol buffers of gnostic (`OpenAPIv2.proto`), as far as API servers use them.
 * The numbers are those of the fields there.
 */
export function encodeGnostic(document: object): Uint8Array {
  const { swagger, info, paths, definitions } = document as Record<string, Fields>;
  return new Protobuf()
    .text(1, swagger as unknown as string)
    .message(
      2,
      new Protobuf()
        .text(1, info!.title as string)
        .text(2, info!.version as string)
        .bytes(),
    )
    .message(8, named(2, paths!, pathItem))
    .message(9, named(1, definitions!, schema))
    .bytes();
}

function named(number: number, entries: Fields, encode: Encode): Uint8Array {
  const out = new Protobuf();
  for (const [name, value] of Object.entries(entries)) {
    out.message(
      number,
      new Protobuf()
        .text(1, name)
        .message(2, encode(value as never))
        .bytes(),
    );
  }
  return out.bytes();
}

const methods = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(item: Fields): Uint8Array {
  const out = new Protobuf();
  for (const [method, number] of Object.entries(methods)) {
    const value = item[method];
    if (value !== undefined) out.message(number, operation(value as Fields));
  }
  return out.bytes();
}

function operation(value: Fields): Uint8Array {
  const out = new Protobuf()
    .texts(1, value.tags as string[])
    .text(3, value.description as string)
    .text(5, value.operationId as string)
    .texts(6, value.produces as string[])
    .texts(7, value.consumes as string[]);
  for (const each of (value.parameters as Fields[] | undefined) ?? []) {
    out.message(8, new Protobuf().message(1, parameter(each)).bytes());
  }
  out
    .message(9, named(1, (value.responses as Fields | undefined) ?? {}, response))
    .texts(10, value.schemes as string[]);
  return extensions(out, 13, value).bytes();
}

function parameter(value: Fields): Uint8Array {
  const { in: place, name, description, required, type, uniqueItems } = value;
  if (place === 'body') {
    const body = new Protobuf()
      .text(2, name as string)
      .text(3, 'body')
      .flag(4, required)
      .message(5, schema(value.schema as Fields));
    return new Protobuf().message(1, body.bytes()).bytes();
  }
  const isQuery = place === 'query';
  const other = new Protobuf()
    .flag(1, required)
    .text(2, place as string)
    .text(3, description as string)
    .text(4, name as string)
    .text(isQuery ? 6 : 5, type as string)
    .flag(isQuery ? 20 : 19, uniqueItems);
  const nonBody = new Protobuf().message(isQuery ? 3 : 4, other.bytes());
  return new Protobuf().message(2, nonBody.bytes()).bytes();
}

function response(value: Fields): Uint8Array {
  const out = new Protobuf().text(1, value.description as string);
  if (value.schema) out.message(2, new Protobuf().message(1, schema(value.schema as Fields)).bytes());
  return new Protobuf().message(1, out.bytes()).bytes();
}

function schema(value: Fields): Uint8Array {
  const out = new Protobuf()
    .text(1, value.$ref as string)
    .text(2, value.format as string)
    .text(4, value.description as string);
  if (value.default !== undefined) out.message(5, any(value.default));
  out.texts(19, value.required as string[]);
  for (const each of (value.enum as unknown[] | undefined) ?? []) out.message(20, any(each));
  if (value.additionalProperties) {
    out.message(21, new Protobuf().message(1, schema(value.additionalProperties as Fields)).bytes());
  }
  if (value.type) out.message(22, new Protobuf().text(1, value.type as string).bytes());
  if (value.items) out.message(23, new Protobuf().message(1, schema(value.items as Fields)).bytes());
  if (value.properties) out.message(25, named(1, value.properties as Fields, schema));
  return extensions(out, 31, value).bytes();
}

function extensions(out: Protobuf, number: number, value: Fields): Protobuf {
  for (const [name, each] of Object.entries(value)) {
    if (name.startsWith('x-'))
      out.message(number, new Protobuf().text(1, name).message(2, any(each)).bytes());
  }
  return out;
}

// The value travels as YAML, of which JSON is a part.
function any(value: unknown): Uint8Array {
  return new Protobuf().text(2, JSON.stringify(value)).bytes();
}
