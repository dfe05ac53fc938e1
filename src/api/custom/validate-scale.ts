import type { CustomResourceDefinitionVersion } from '../kinds/customResourceDefinition.ts';
import type { KubeObject } from '../object.ts';
import { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { compileJsonPath } from './json-path.ts';

export type Scale = NonNullable<NonNullable<CustomResourceDefinitionVersion['subresources']>['scale']>;

const int32Max = 2 ** 31 - 1;

/** Reports numbers that a scale cannot have. */
export function validateScale(scale: Scale, object: KubeObject, report: Report): void {
  for (const path of [scale.specReplicasPath, scale.statusReplicasPath]) {
    const [value] = compileJsonPath(path)(object);
    const at = new Path(path);
    if (value === undefined) continue;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      report.invalid(
        at,
        0,
        `${path} accessor error: ${String(value)} is of the type ${typeof value}, expected int64`,
      );
    } else if (value < 0) report.invalid(at, value, 'should be a non-negative integer');
    else if (value > int32Max) report.invalid(at, value, `should be less than or equal to ${int32Max}`);
  }
}
