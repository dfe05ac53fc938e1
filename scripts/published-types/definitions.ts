interface Property {
  $ref?: string;
  type?: string;
  format?: string;
  items?: Property;
  additionalProperties?: Property;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-patch-merge-key'?: string;
}

interface Definition extends Property {
  properties?: Record<string, Property>;
  required?: string[];
}

/**
 * By type, without `io.k8s.`: what each field is, e.g. `ports: "[api.core.v1.ContainerPort] map=containerPort,protocol"`;
 * `!` is a required one. Stable versions only.
 */
export function readDefinitions(swagger: object): Record<string, Record<string, string>> {
  const { definitions } = swagger as { definitions: Record<string, Definition> };
  const found: Record<string, Record<string, string>> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    if (!definition.properties || name.endsWith('List') || /\.v\d+(alpha|beta)\d+\./.test(name)) continue;
    const { required = [] } = definition;
    const fields = Object.entries(definition.properties).map(([field, property]) => [
      field,
      `${typeOf(property)}${required.includes(field) ? '!' : ''}${traitsOf(property)}`,
    ]);
    found[name.replace(/^io\.k8s\./, '')] = Object.fromEntries(fields);
  }
  return found;
}

function typeOf(property: Property): string {
  if (property.$ref) return property.$ref.replace('#/definitions/io.k8s.', '');
  if (property.type === 'array') return `[${typeOf(property.items!)}]`;
  if (property.additionalProperties) return `{${typeOf(property.additionalProperties)}}`;
  return property.format ? `${property.type}:${property.format}` : (property.type ?? 'any');
}

function traitsOf(property: Property): string {
  const keys = property['x-kubernetes-list-map-keys'];
  const listType = property['x-kubernetes-list-type'] ?? property['x-kubernetes-map-type'];
  const key = property['x-kubernetes-patch-merge-key'];
  const strategy = property['x-kubernetes-patch-strategy'];
  return [
    ...(keys ? [` map=${keys.join(',')}`] : listType ? [` ${listType}`] : []),
    ...(strategy ? [` patch=${strategy}`] : []),
    ...(key ? [` by=${key}`] : []),
  ].join('');
}
