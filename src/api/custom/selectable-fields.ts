import type { KubeObject } from '../object.ts';
import { compileJsonPath } from './json-path.ts';

/** Field selectors by name (`spec.color`), each with how its text is read; a field that is not there is ''. */
export function selectableFieldsOf(
  declared: readonly { jsonPath: string }[],
): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    declared.map(({ jsonPath }) => {
      const lead = compileJsonPath(jsonPath);
      const read = (object: KubeObject) => String(lead(object)[0] ?? '');
      return [jsonPath.replace(/^\./, ''), read];
    }),
  );
}
