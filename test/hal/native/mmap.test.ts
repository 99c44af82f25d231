import { nativeImplementations } from '../../../src/hal/native/index.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { mmapSuite } from '../../contract/mmap.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { runHelper } from './child-process.js';
import { nativeTest, rigTests } from './native-rig.js';

mmapSuite(checkProfiles(nativeTest, nativeImplementations));

const checkNative = rigTests(nativeTest);

checkNative('mmap: where MADV_REMOVE does not work, holes are punched', (t, rig) => {
  if (!rig.hal(Seccomp).probe().tsync || process.arch !== 'x64') {
    t.pass('this kernel takes no filters, or the helper has no number for this architecture');
    return;
  }
  const { status, stdout, stderr } = runHelper('punch-hole-helper', []);
  t.is(stderr, '');
  t.is(status, 0);
  t.deepEqual(JSON.parse(stdout), {
    primitive: 'punch-hole',
    kept: [7, 7, 0, 7, 7, 7, 0, 0],
    resident: 5,
  });
});
