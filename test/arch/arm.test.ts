import { armSuite } from './arm-suite.js';

armSuite('arm', (t, found) => {
  t.is(found.pageBytes, 4096);
  t.is(found.primitive, 'punch-hole');
  t.is(found.residentAfterDiscard, 6 * 4096);
  t.is(found.hugeRegion, 'SYSCALL_FAILED');
  t.is(found.kvm, 'UNSUPPORTED');
  t.regex(found.kvmSays, /KVM left 32-bit arm hosts in Linux 5\.7/);
});
