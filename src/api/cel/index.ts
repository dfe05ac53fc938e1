export { compileForAdmission, type PolicyVariables } from './admission.ts';
export {
  type CelEnvironment,
  type CelProgram,
  type CostBudget,
  callCostMax,
  compile,
  requestCostMax,
} from './compile.ts';
export { escapeProperty } from './escape.ts';
export type { Range as CostRange } from './estimate.ts';
export { fromJson, toJson } from './from-json.ts';
export {
  type AuthorizationCheck,
  type AuthorizationDecision,
  type Authorize,
  AuthorizerValue,
  authorizerType,
  CheckValue,
  resourceCheckType,
} from './functions/authorizer.ts';
export { checkTypes, type ExpressionWarning } from './policy-types.ts';
export { CelCostError } from './run.ts';
export { typeOfSchema } from './schema-types.ts';
export { CelCompileError, CelError } from './source.ts';
export {
  boolType,
  type CelType,
  dynType,
  formatType,
  intType,
  listOf,
  mapOf,
  nullType,
  objectType,
  stringType,
} from './types.ts';
export { CelObject, type Value } from './values.ts';
