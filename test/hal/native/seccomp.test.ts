import { nativeImplementations } from '../../../src/hal/native/index.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { checkProfiles } from '../../contract/profiles.js';
import { never, refused } from '../../contract/rig.js';
import { runHelper } from './child-process.js';
import { nativeTest, rigTests } from './native-rig.js';

const check = checkProfiles(nativeTest, nativeImplementations);
const checkNative = rigTests(nativeTest);

check('seccomp: probe says what the kernel offers', (t, rig) => {
  const offered = rig.hal(Seccomp).probe();
  t.deepEqual(Object.keys(offered), ['filter', 'tsync', 'userNotify']);
  for (const answer of Object.values(offered)) t.is(typeof answer, 'boolean');
});

check('seccomp: programs that are none are refused before anything is done', (t, rig) => {
  const seccomp = rig.hal(Seccomp);
  for (const length of [0, 7, 9, 4097 * 8]) {
    refused(t, 'INVALID_ARGUMENT', () => seccomp.install({ program: new Uint8Array(length) }));
  }
  for (const program of [undefined, null, [], new Uint32Array(2), 'x']) {
    refused(t, 'INVALID_ARGUMENT', () => seccomp.install({ program: never(program) }));
  }
});

checkNative('seccomp: an installed filter holds, and a malformed one is refused', (t, rig) => {
  if (!rig.hal(Seccomp).probe().tsync || process.arch !== 'x64') {
    t.pass('this kernel takes no filters, or the helper has no number for this architecture');
    return;
  }
  const { status, stdout, stderr } = runHelper('seccomp-helper', []);
  t.is(stderr, '');
  t.is(status, 0);
  t.deepEqual(stdout.split('\n'), ['ok', 'SYSCALL_FAILED seccomp 22', 'ok', 'refused']);
});
