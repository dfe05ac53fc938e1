import type { CustomResourceDefinitionNames } from '../../kinds/customResourceDefinition.ts';
import { dns1035Label } from '../../names.ts';
import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';

export function validateNames(names: CustomResourceDefinitionNames, at: Path, report: Report): void {
  const inLowerCase = (name: string | undefined, path: Path) => {
    const wrong = name ? dns1035Label(name) : [];
    if (wrong.length > 0) report.invalid(path, name, wrong.join(','));
  };
  const inMixedCase = (name: string | undefined, path: Path) => {
    const wrong = name ? dns1035Label(name.toLowerCase()) : [];
    if (wrong.length === 0) return;
    report.invalid(path, name, `may have mixed case, but should otherwise match: ${wrong.join(',')}`);
  };
  inLowerCase(names.plural, at.child('plural'));
  inLowerCase(names.singular, at.child('singular'));
  inMixedCase(names.kind, at.child('kind'));
  inMixedCase(names.listKind, at.child('listKind'));
  for (const [index, name] of (names.shortNames ?? []).entries()) {
    inLowerCase(name || ' ', at.child('shortNames').index(index));
  }
  if (names.kind && names.kind === names.listKind) {
    report.invalid(at.child('listKind'), names.listKind, 'kind and listKind may not be the same');
  }
  for (const [index, category] of (names.categories ?? []).entries()) {
    inLowerCase(category || ' ', at.child('categories').index(index));
  }
}
