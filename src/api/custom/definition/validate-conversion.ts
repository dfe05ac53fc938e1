import { X509Certificate } from 'node:crypto';
import type { CustomResourceConversion } from '../../kinds/customResourceDefinition.ts';
import { dns1035Label, dns1123Label } from '../../names.ts';
import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';

const knownReviewVersions = ['v1', 'v1beta1'];

export function validateConversion(
  conversion: CustomResourceConversion | undefined,
  at: Path,
  report: Report,
): void {
  if (!conversion) return;
  const { strategy, webhook } = conversion;
  if (strategy === '') report.required(at.child('strategy'));
  else if (strategy !== undefined && strategy !== 'None' && strategy !== 'Webhook') {
    report.unsupported(at.child('strategy'), strategy, ['None', 'Webhook']);
  }
  // The paths are those of Kubernetes' internal version, in which the webhook's fields stand one level higher.
  const configAt = at.child('webhookClientConfig');
  const reviewsAt = at.child('conversionReviewVersions');
  const config = webhook?.clientConfig;
  if (strategy !== 'Webhook') {
    if (config) report.forbidden(configAt, 'should not be set when strategy is not set to Webhook');
    if (webhook?.conversionReviewVersions?.length) {
      report.forbidden(reviewsAt, 'should not be set when strategy is not set to Webhook');
    }
    return;
  }
  if (!config) report.required(configAt, 'required when strategy is set to Webhook');
  else validateClient(config, configAt, report);
  validateReviewVersions(webhook?.conversionReviewVersions ?? [], reviewsAt, report);
}

type ClientConfig = NonNullable<NonNullable<CustomResourceConversion['webhook']>['clientConfig']>;

function validateClient({ url, service, caBundle }: ClientConfig, at: Path, report: Report): void {
  if ((url === undefined) === (service === undefined)) {
    report.required(at, 'exactly one of url or service is required');
  } else if (url !== undefined) validateUrl(url, at.child('url'), report);
  else if (service) {
    const serviceAt = at.child('service');
    if (!service.name) report.required(serviceAt.child('name'), 'service name is required');
    if (!service.namespace) report.required(serviceAt.child('namespace'), 'service namespace is required');
    if (service.path !== undefined) validatePath(service.path, serviceAt.child('path'), report);
    const { port = 443 } = service;
    if (port < 1 || port > 65535) {
      report.invalid(
        serviceAt.child('port'),
        port,
        'port is not valid: must be between 1 and 65535, inclusive',
      );
    }
  }
  if (caBundle && !isCertificates(caBundle)) {
    report.invalid(
      at.child('caBundle'),
      '',
      'unable to load root certificates: unable to parse bytes as PEM block',
    );
  }
}

function validateUrl(text: string, at: Path, report: Report): void {
  const form = '; desired format: https://host[/path]';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    report.required(at, `url must be a valid URL${form}`);
    return;
  }
  if (url.protocol !== 'https:') {
    report.invalid(at, url.protocol.replace(':', ''), `'https' is the only allowed URL scheme${form}`);
  }
  if (url.host === '') report.invalid(at, url.host, `host must be specified${form}`);
  if (url.username !== '' || url.password !== '') {
    report.invalid(at, text, 'user information is not permitted in the URL');
  }
  if (url.hash !== '') report.invalid(at, url.hash, 'fragments are not permitted in the URL');
  if (url.search !== '') report.invalid(at, url.search, 'query parameters are not permitted in the URL');
}

function validatePath(path: string, at: Path, report: Report): void {
  if (path === '' || path === '/') return;
  if (!path.startsWith('/')) {
    report.invalid(at, path, "must start with a '/'");
    return;
  }
  const parts = path.slice(1).replace(/\/$/, '').split('/');
  for (const [index, part] of parts.entries()) {
    if (part === '') report.invalid(at, path, `segment[${index}] may not be empty`);
    else {
      for (const wrong of dns1123Label(part)) report.invalid(at, path, `segment[${index}]: ${wrong}`);
    }
  }
}

function validateReviewVersions(versions: readonly string[], at: Path, report: Report): void {
  if (versions.length === 0) {
    report.required(at);
    return;
  }
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) report.invalid(at.index(index), version, 'duplicate version');
    else for (const wrong of dns1035Label(version)) report.invalid(at.index(index), version, wrong);
  }
  if (!versions.some((version) => knownReviewVersions.includes(version))) {
    report.invalid(at, versions, `must include at least one of ${knownReviewVersions.join(', ')}`);
  }
}

function isCertificates(base64: string): boolean {
  try {
    new X509Certificate(Buffer.from(base64, 'base64'));
    return true;
  } catch {
    return false;
  }
}
