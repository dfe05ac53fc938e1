import { follows } from '../checks.ts';
import { pathSegment } from '../names.ts';
import type { Path } from '../path.ts';
import { compareQuantities } from '../quantity.ts';
import type { Report } from '../report.ts';
import { integer, object, oneOf, quantity, refine, required, string, type TypeOf } from '../schema.ts';
import { labelSelector } from './meta.ts';

const name = (text: string) => `io.k8s.api.autoscaling.v2.${text}`;

export const crossVersionObjectReference = object(
  name('CrossVersionObjectReference'),
  {
    apiVersion: string({ doc: "The object's API version." }),
    kind: required(string({ doc: "The object's kind.", check: follows(pathSegment) })),
    name: required(string({ doc: "The object's name.", check: follows(pathSegment) })),
  },
  { doc: 'An object in the same namespace.' },
);
export type CrossVersionObjectReference = TypeOf<typeof crossVersionObjectReference>;

export const metricTarget = object(
  name('MetricTarget'),
  {
    averageUtilization: integer({ doc: 'Percent of what the pods request, on average.', min: 1 }),
    averageValue: quantity({ doc: 'Per pod, on average.', check: positive }),
    type: required(oneOf(['Utilization', 'Value', 'AverageValue'], { doc: 'Which of the fields counts.' })),
    value: quantity({ doc: 'The whole value.', check: positive }),
  },
  { doc: 'The value that is aimed at.' },
);
export type MetricTarget = TypeOf<typeof metricTarget>;

export const metricIdentifier = object(name('MetricIdentifier'), {
  name: required(string({ doc: 'Its name.', check: follows(pathSegment) })),
  selector: refine(labelSelector, { doc: 'Which of its series.' }),
});
export type MetricIdentifier = TypeOf<typeof metricIdentifier>;

export const resourceMetricSource = object(
  name('ResourceMetricSource'),
  {
    name: required(string({ doc: 'cpu or memory.' })),
    target: required(metricTarget),
  },
  { doc: 'What the pods use of a resource.', check: checkResource },
);
export type ResourceMetricSource = TypeOf<typeof resourceMetricSource>;

export const containerResourceMetricSource = object(
  name('ContainerResourceMetricSource'),
  {
    container: required(string({ doc: 'The container.' })),
    name: required(string({ doc: 'cpu or memory.' })),
    target: required(metricTarget),
  },
  { doc: 'What one container of each pod uses of a resource.', check: checkResource },
);
export type ContainerResourceMetricSource = TypeOf<typeof containerResourceMetricSource>;

export const podsMetricSource = object(
  name('PodsMetricSource'),
  { metric: required(metricIdentifier), target: required(metricTarget) },
  {
    doc: 'A metric of each pod.',
    check({ target }, at, report) {
      if (target?.averageValue !== undefined) return;
      report.required(
        at.child('target').child('averageValue'),
        'must specify a positive target averageValue',
      );
    },
  },
);
export type PodsMetricSource = TypeOf<typeof podsMetricSource>;

export const objectMetricSource = object(
  name('ObjectMetricSource'),
  {
    describedObject: required(crossVersionObjectReference),
    metric: required(metricIdentifier),
    target: required(metricTarget),
  },
  {
    doc: 'A metric of one other object.',
    check({ target }, at, report) {
      if (target?.value !== undefined || target?.averageValue !== undefined) return;
      report.required(
        at.child('target').child('averageValue'),
        'must set either a target value or averageValue',
      );
    },
  },
);
export type ObjectMetricSource = TypeOf<typeof objectMetricSource>;

export const externalMetricSource = object(
  name('ExternalMetricSource'),
  { metric: required(metricIdentifier), target: required(metricTarget) },
  {
    doc: 'A metric that belongs to no object of the cluster.',
    check({ target }, at, report) {
      const { value, averageValue } = target ?? {};
      const targetAt = at.child('target');
      if (value === undefined && averageValue === undefined) {
        const why = 'must set either a target value for metric or a per-pod target';
        report.required(targetAt.child('averageValue'), why);
      } else if (value !== undefined && averageValue !== undefined) {
        const why = 'may not set both a target value for metric and a per-pod target';
        report.forbidden(targetAt.child('value'), why);
      }
    },
  },
);
export type ExternalMetricSource = TypeOf<typeof externalMetricSource>;

const sources = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
} as const;

const fields = object(name('MetricSpec'), {
  containerResource: containerResourceMetricSource,
  external: externalMetricSource,
  object: objectMetricSource,
  pods: podsMetricSource,
  resource: resourceMetricSource,
  type: required(
    oneOf(['ContainerResource', 'External', 'Object', 'Pods', 'Resource'], {
      doc: 'Which of the fields counts.',
    }),
  ),
});
export type MetricSpec = TypeOf<typeof fields>;

export const metricSpec = refine(fields, {
  doc: 'What decides how many pods there should be.',
  check(spec, at, report) {
    const wanted = sources[spec.type];
    if (wanted === undefined) return;
    if (spec[wanted] === undefined) {
      report.required(at.child(wanted), 'must populate information for the given metric source');
    }
    for (const field of Object.values(sources)) {
      if (field === wanted || spec[field] === undefined) continue;
      report.forbidden(at.child(field), 'must populate the given metric source only');
    }
  },
});

export const metricValueStatus = object(name('MetricValueStatus'), {
  averageUtilization: integer({ doc: 'Percent of what the pods request, on average.' }),
  averageValue: quantity({ doc: 'Per pod, on average.' }),
  value: quantity({ doc: 'The whole value.' }),
});
export type MetricValueStatus = TypeOf<typeof metricValueStatus>;

export const metricStatus = object(name('MetricStatus'), {
  containerResource: object(name('ContainerResourceMetricStatus'), {
    container: required(string()),
    current: required(metricValueStatus),
    name: required(string()),
  }),
  external: object(name('ExternalMetricStatus'), {
    current: required(metricValueStatus),
    metric: required(metricIdentifier),
  }),
  object: object(name('ObjectMetricStatus'), {
    current: required(metricValueStatus),
    describedObject: required(crossVersionObjectReference),
    metric: required(metricIdentifier),
  }),
  pods: object(name('PodsMetricStatus'), {
    current: required(metricValueStatus),
    metric: required(metricIdentifier),
  }),
  resource: object(name('ResourceMetricStatus'), {
    current: required(metricValueStatus),
    name: required(string()),
  }),
  type: required(string({ doc: 'Which of the fields counts.' })),
});
export type MetricStatus = TypeOf<typeof metricStatus>;

function positive(value: string, at: Path, report: Report): void {
  if (compareQuantities(value, 0) <= 0) report.invalid(at, value, 'must be positive');
}

function checkResource({ target }: { target: MetricTarget }, at: Path, report: Report): void {
  const { averageUtilization, averageValue } = target ?? {};
  const targetAt = at.child('target');
  if (averageUtilization === undefined && averageValue === undefined) {
    const why = 'must set either a target raw value or a target utilization';
    report.required(targetAt.child('averageUtilization'), why);
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const why = 'may not set both a target raw value and a target utilization';
    report.forbidden(targetAt.child('averageValue'), why);
  }
}
