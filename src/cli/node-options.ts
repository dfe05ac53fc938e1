import { InvalidArgumentError } from 'commander';
import { dns1123Subdomain, labelValue, qualifiedName, type TextRule } from '../api/names.ts';
import type { ShutdownGracePeriod } from '../node/shutdown.ts';

export function nodeName(text: string): string {
  obey(dns1123Subdomain, text);
  return text;
}

/** The address of an API server; whoever leaves the scheme out is told the whole form. */
export function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.hostname && url.pathname === '/') return text;
  throw new InvalidArgumentError('expected the address of an API server, such as https://192.0.2.10:6443.');
}

/** NAME=VALUE, added to `all`. */
export function nodeLabel(text: string, all: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected NAME=VALUE.');
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  obey(qualifiedName, name);
  obey(labelValue, value);
  return { ...all, [name]: value };
}

export function zoneName(text: string): string {
  obey(labelValue, text);
  return text;
}

/** PRIORITY=SECONDS, comma-separated. */
export function periodsByPriority(text: string): ShutdownGracePeriod[] {
  return text.split(',').map((entry) => {
    const match = /^(-?\d{1,10})=(\d{1,6})$/.exec(entry.trim());
    if (!match)
      throw new InvalidArgumentError('expected PRIORITY=SECONDS, several with commas between them.');
    return { priority: Number(match[1]), seconds: Number(match[2]) };
  });
}

function obey(rule: TextRule, text: string): void {
  const [wrong] = rule(text);
  if (wrong) throw new InvalidArgumentError(`${wrong}.`);
}
