import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../../names.ts';
import { listOf, opaque, optionalOf, stringType } from '../types.ts';
import { CelOptional, noneOptional, OpaqueValue, PlainList, type Value } from '../values.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';

const format = opaque('kubernetes.NamedFormat');
type Rule = (text: string) => string[];

class NamedFormat extends OpaqueValue {
  readonly typeName = 'kubernetes.NamedFormat';
  readonly name: string;
  readonly rule: Rule;
  constructor(name: string, rule: Rule) {
    super();
    this.name = name;
    this.rule = rule;
  }
  equals(other: Value): boolean {
    return other instanceof NamedFormat && other.name === this.name;
  }
}

// The generated end of a name may complete a prefix that ends with a dash.
const prefixOf =
  (rule: Rule): Rule =>
  (text) =>
    rule(text.replace(/-$/, 'a'));

const matching =
  (test: (text: string) => boolean, message: string): Rule =>
  (text) =>
    test(text) ? [] : [message];
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

const rules: Record<string, Rule> = {
  dns1123Label,
  dns1123Subdomain,
  dns1035Label,
  qualifiedName,
  labelValue,
  dns1123LabelPrefix: prefixOf(dns1123Label),
  dns1123SubdomainPrefix: prefixOf(dns1123Subdomain),
  dns1035LabelPrefix: prefixOf(dns1035Label),
  uri: matching((text) => URL.canParse(text) || text.startsWith('/'), 'invalid URI'),
  uuid: matching((text) => uuid.test(text), 'does not match the UUID format'),
  byte: matching(
    (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
    'invalid base64',
  ),
  date: matching((text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)), 'invalid date'),
  datetime: matching(
    (text) => /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text)),
    'invalid datetime',
  ),
};

const formats = new Map(Object.entries(rules).map(([name, rule]) => [name, new NamedFormat(name, rule)]));

/** Kubernetes' named formats: `format.dns1123Label().validate(name)`. */
export const formatLibrary = library(
  ...[...formats].map(([name, value]) => fn(`format.${name}`, `format_${name}`, [], format, () => value)),
  fn('format.named', 'format_named', [stringType], optionalOf(format), (name: string) => {
    const found = formats.get(name);
    return found ? new CelOptional(found) : noneOptional;
  }),
  member(
    'validate',
    'format_validate',
    [format, stringType],
    optionalOf(listOf(stringType)),
    ({ rule }: NamedFormat, text: string) => {
      const messages = rule(text);
      return messages.length === 0 ? noneOptional : new CelOptional(new PlainList(messages));
    },
  ),
);
