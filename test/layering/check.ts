import { determinismFindings } from './determinism.js';
import { type Finding, parse, type Sources } from './finding.js';
import { importsOf } from './imports.js';
import { addonFindings, layerFindings } from './layers.js';
import { loaderFindings, styleFindings } from './style.js';

/** What users import: none of these may load the addon. */
const ENTRY_POINTS = ['src/index.ts', 'src/fixture/index.ts'];

/** Every place in the sources that breaks a rule of DESIGN.md, "Layers and folders" and "The rules that make replay exact". */
export function check(sources: Sources): readonly Finding[] {
  const files = [...sources].map(([path, text]) => parse(path, text));
  const own = files.filter(({ path }) => path.startsWith('src/'));
  const imports = own.flatMap(importsOf);
  return [
    ...imports.flatMap(layerFindings),
    ...ENTRY_POINTS.flatMap((entry) => addonFindings(entry, imports)),
    ...own.flatMap(determinismFindings),
    ...own.flatMap(loaderFindings),
    ...files.flatMap(styleFindings),
  ];
}
