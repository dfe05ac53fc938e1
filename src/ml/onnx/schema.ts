/** The parts of ONNX's protobuf schema that this project reads and writes, as `onnx.proto` names and numbers
 * them (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). A repeated field is an array, absent is empty. */
export interface ModelProto {
  irVersion?: number;
  producerName?: string;
  producerVersion?: string;
  graph?: GraphProto;
  opsetImport?: { domain?: string; version?: number }[];
  metadataProps?: StringEntry[];
}

export interface GraphProto {
  node?: NodeProto[];
  name?: string;
  initializer?: TensorProto[];
  input?: ValueInfoProto[];
  output?: ValueInfoProto[];
}

export interface NodeProto {
  input?: string[];
  output?: string[];
  name?: string;
  opType?: string;
  attribute?: AttributeProto[];
}

export interface AttributeProto {
  name?: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: number[];
  strings?: Uint8Array[];
  type?: number;
}

export interface TensorProto {
  dims?: number[];
  dataType?: number;
  floatData?: number[];
  int32Data?: number[];
  int64Data?: number[];
  name?: string;
  rawData?: Uint8Array;
  externalData?: StringEntry[];
  dataLocation?: number;
}

export interface ValueInfoProto {
  name?: string;
  type?: { tensorType?: { elemType?: number; shape?: { dim?: DimensionProto[] } } };
}

export interface DimensionProto {
  dimValue?: number;
  dimParam?: string;
}

export interface StringEntry {
  key?: string;
  value?: string;
}

export type MessageName =
  | 'Model'
  | 'Graph'
  | 'Node'
  | 'Attribute'
  | 'Tensor'
  | 'ValueInfo'
  | 'Type'
  | 'TensorType'
  | 'Shape'
  | 'Dimension'
  | 'OperatorSet'
  | 'StringEntry';
export type Scalar = 'int' | 'float' | 'string' | 'bytes';
export interface Field {
  number: number;
  type: Scalar | MessageName;
  repeated: boolean;
}

const one = (number: number, type: Field['type']): Field => ({ number, type, repeated: false });
const many = (number: number, type: Field['type']): Field => ({ number, type, repeated: true });

export const messages: Record<MessageName, Record<string, Field>> = {
  Model: {
    irVersion: one(1, 'int'),
    producerName: one(2, 'string'),
    producerVersion: one(3, 'string'),
    graph: one(7, 'Graph'),
    opsetImport: many(8, 'OperatorSet'),
    metadataProps: many(14, 'StringEntry'),
  },
  Graph: {
    node: many(1, 'Node'),
    name: one(2, 'string'),
    initializer: many(5, 'Tensor'),
    input: many(11, 'ValueInfo'),
    output: many(12, 'ValueInfo'),
  },
  Node: {
    input: many(1, 'string'),
    output: many(2, 'string'),
    name: one(3, 'string'),
    opType: one(4, 'string'),
    attribute: many(5, 'Attribute'),
  },
  Attribute: {
    name: one(1, 'string'),
    f: one(2, 'float'),
    i: one(3, 'int'),
    s: one(4, 'bytes'),
    t: one(5, 'Tensor'),
    g: one(6, 'Graph'),
    floats: many(7, 'float'),
    ints: many(8, 'int'),
    strings: many(9, 'bytes'),
    type: one(20, 'int'),
  },
  Tensor: {
    dims: many(1, 'int'),
    dataType: one(2, 'int'),
    floatData: many(4, 'float'),
    int32Data: many(5, 'int'),
    int64Data: many(7, 'int'),
    name: one(8, 'string'),
    rawData: one(9, 'bytes'),
    externalData: many(13, 'StringEntry'),
    dataLocation: one(14, 'int'),
  },
  ValueInfo: { name: one(1, 'string'), type: one(2, 'Type') },
  Type: { tensorType: one(1, 'TensorType') },
  TensorType: { elemType: one(1, 'int'), shape: one(2, 'Shape') },
  Shape: { dim: many(1, 'Dimension') },
  Dimension: { dimValue: one(1, 'int'), dimParam: one(2, 'string') },
  OperatorSet: { domain: one(1, 'string'), version: one(2, 'int') },
  StringEntry: { key: one(1, 'string'), value: one(2, 'string') },
};

/** `AttributeProto.AttributeType` */
export const attributeType = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

/** `TensorProto.DataLocation.EXTERNAL` */
export const externalLocation = 1;
