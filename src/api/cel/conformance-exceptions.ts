import type { Vector } from './conformance-vectors.ts';

interface Exception {
  /** Matched against `suite/section/name: expression`. */
  readonly pattern: RegExp;
  readonly reason: string;
}

/** What of the published vectors does not hold here, and why. */
export const exceptions: readonly Exception[] = [
  {
    pattern:
      /^(?:conformance|checking)\/.*(?:TestAllTypes|TestRequired|TestMessage|google\.protobuf\.(?!Timestamp|Duration)|google\.protobuf\.(Timestamp|Duration)\{|\b(U?Int(32|64)|Float|Double|Bool|String|Bytes)Value\{|\b(Value|Struct|ListValue|Any|Duration|Timestamp)\{|\bmsg\.)/s,
    reason: 'Kubernetes declares no protobuf messages: objects come from OpenAPI schemas',
  },
  {
    pattern: /^conformance\/(proto2|proto2_ext|proto3|enums|wrappers|dynamic)\//,
    reason: 'about protobuf messages and enumerations',
  },
  { pattern: /^conformance\/block_ext\//, reason: 'Kubernetes has no cel.block' },
  {
    pattern: /^conformance\/bindings_ext\/|^comprehensions\/.*cel\.bind/,
    reason: 'Kubernetes has no cel.bind',
  },
  { pattern: /^conformance\/encoders_ext\//, reason: 'Kubernetes has no base64 library' },
  { pattern: /^conformance\/math_ext\//, reason: 'Kubernetes has no math library' },
  {
    pattern: /^conformance\/fields\/quoted_map_fields\//,
    reason: 'identifiers in backquotes are off in Kubernetes 1.32',
  },
  {
    pattern:
      /unbound_is_runtime_error|receiver_function_names|short_circuit_type|eq_mixed_types|ne_mixed_types|not_eq_list_length|eq_list_elem_mixed_types|conditional\/mixed_type|container_lookup_unchecked/,
    reason: 'meant for expressions that are not type-checked; Kubernetes checks all',
  },
  { pattern: /namespace\/.*container_lookup/, reason: 'Kubernetes sets no container' },
  { pattern: /\btuple\(|\bfn\('abc'|\bsort\(/, reason: "declares functions of the vector's own" },
  { pattern: /dyn_no_denotation/, reason: '`dyn` is a type, as in cel-go' },
  {
    pattern: /null_assignable_to_abstract_parameter/,
    reason: 'the deduced type is the one of the first element',
  },
  {
    pattern: /type_deductions\/.*legacy_nullable_types\/null_assignable_to_message/,
    reason: 'about protobuf messages',
  },
  {
    pattern: /^parsing\/(1 \+ 2 \+ 3|\[\[\[|a < 1 < 2|a\.b\.c\.d|a\[1\]\[2\]|y!=y)/,
    reason: 'the vectors are parsed with a nesting limit of 32, Kubernetes has 250',
  },
  {
    pattern: /^parsing\/.*(\.\?[a-z]|\[\?|\{\?[^.])/,
    reason: 'the vectors are parsed without optional syntax, which Kubernetes has',
  },
  {
    pattern: /^parsing\/\[\]\.existsOne\(/,
    reason: 'existsOne with one variable came after Kubernetes 1.32',
  },
  { pattern: /^checking\/(?!1 \+ x).*\bx\b/, reason: "declares variables of the vector's own" },
  { pattern: /^checking\/.*(NotAMessage)/, reason: "declares types of the vector's own" },
  { pattern: /^checking\/1 [<>]=? 1\.0/, reason: 'Kubernetes compares numbers across their types' },
];

/** A vector that wants an error is content with the one that an exception brings. */
export const mayPass = ({ original }: Vector): boolean =>
  original.evalError !== undefined || original.checkOnly === true;
