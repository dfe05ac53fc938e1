/** A rule says what is wrong with a text, in the words of Kubernetes' `validation` package; nothing when it is fine. */
export type TextRule = (text: string) => string[];

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const name = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

const dns1123LabelPattern = rule(label, 63, {
  says: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  examples: ['my-name', '123-abc'],
});

export const dns1123Subdomain = rule(subdomain, 253, {
  says: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  examples: ['example.com'],
});

/** A label that would be a fine subdomain is told only of its dots. */
export const dns1123Label: TextRule = (text) => {
  const wrong = dns1123LabelPattern(text);
  if (wrong.length === 0 || !text.includes('.') || dns1123Subdomain(text).length > 0) return wrong;
  return [...wrong.slice(0, -1), 'must not contain dots'];
};

export const dns1035Label = rule('[a-z]([-a-z0-9]*[a-z0-9])?', 63, {
  says: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  examples: ['my-name', 'abc-123'],
});

export const labelValue = rule(`(${name})?`, 63, {
  says: "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  examples: ['MyValue', 'my_value', '12345'],
});

const configKeyPattern = rule('[-._a-zA-Z0-9]+', 253, {
  says: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  examples: ['key.name', 'KEY_NAME', 'key-name'],
});

/** Since Kubernetes 1.32 nearly anything. */
export const environmentName: TextRule = (text) =>
  /^[ -<>-~]+$/.test(text)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

export const configKey: TextRule = (text) => [...configKeyPattern(text), ...asFileErrors(text)];

// Both may become the names of files.
function asFileErrors(text: string): string[] {
  if (text === '.' || text === '..') return [`must not be '${text}'`];
  return text.startsWith('..') ? ["must not start with '..'"] : [];
}

const namePart = rule(name, 63, {
  says: "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  examples: ['MyName', 'my.name', '123-abc'],
});

/** Keys of labels, annotations and node selectors: `name` or `example.com/name`. */
export const qualifiedName: TextRule = (text) => {
  const parts = text.split('/');
  if (parts.length > 2) {
    return [
      `a qualified name ${namePart('/')[0]} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const last = parts.at(-1)!;
  const wrong: string[] = [];
  if (parts.length === 2) {
    if (parts[0] === '') wrong.push('prefix part must be non-empty');
    else wrong.push(...dns1123Subdomain(parts[0]!).map((message) => `prefix part ${message}`));
  }
  if (last === '') wrong.push('name part must be non-empty');
  wrong.push(...namePart(last).map((message) => `name part ${message}`));
  return wrong;
};

/** A port's name: an IANA service name (RFC 6335). */
export const portName: TextRule = (text) => {
  const wrong: string[] = [];
  if (text.length > 15) wrong.push('must be no more than 15 characters');
  if (!/^[a-z0-9-]+$/.test(text)) {
    wrong.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(text)) wrong.push('must contain at least one letter (a-z)');
  if (text.includes('--')) wrong.push('must not contain consecutive hyphens');
  if (/^-|-$/.test(text)) wrong.push('must not begin or end with a hyphen');
  return wrong;
};

/** Names that only must fit into a URL path. */
export const pathSegment: TextRule = (text) => {
  if (text === '.' || text === '..') return [`may not be '${text}'`];
  return ['/', '%'].filter((sign) => text.includes(sign)).map((sign) => `may not contain '${sign}'`);
};

/** A host name with `*` as its first label. */
export const wildcardSubdomain = rule(`\\*\\.${subdomain}`, 253, {
  says: "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  examples: ['*.example.com'],
});

function rule(pattern: string, charactersMax: number, about: { says: string; examples: string[] }): TextRule {
  const whole = new RegExp(`^(?:${pattern})$`);
  const examples = about.examples.map((example) => `'${example}', `).join(' or ');
  const message = `${about.says} (e.g. ${examples}regex used for validation is '${pattern}')`;
  return (text) => {
    const wrong: string[] = [];
    if (text.length > charactersMax) wrong.push(`must be no more than ${charactersMax} characters`);
    if (!whole.test(text)) wrong.push(message);
    return wrong;
  };
}
