import { armSuite } from './arm-suite.js';

armSuite('arm64', (t, found) => {
  t.is(found.pageBytes, 4096);
  // Emulated, MADV_REMOVE says yes and does nothing: the addon must have noticed.
  t.is(found.primitive, 'punch-hole');
  t.is(found.residentAfterDiscard, 6 * 4096);
  t.is(found.hugeRegion, 'made');
});
