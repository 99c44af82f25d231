import { Kvm } from '../../../src/hal/kvm.js';
import { nativeImplementations } from '../../../src/hal/native/index.js';
import { kvmSuite } from '../../contract/kvm.suite.js';
import { kvmRefusalsSuite } from '../../contract/kvm-refusals.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { asm, makeGuest, NO_DATA } from '../../contract/real-mode-guest.js';
import { refused } from '../../contract/rig.js';
import { kvmTest, rigTests } from './native-rig.js';

const check = checkProfiles(kvmTest, nativeImplementations);
kvmSuite(check);
kvmRefusalsSuite(check);

const checkNative = rigTests(kvmTest);

checkNative(
  'kvm: below the answer ledger too, an exit is answered exactly once (native only: a profile refuses before it)',
  async (t, rig) => {
    const { kvm, vm, vcpu } = makeGuest(rig, [asm.hlt]);
    const answer = { vcpu, data: NO_DATA, resume: false };
    refused(t, 'NOT_WAITING', () => kvm.complete(answer));
    kvm.run({ vcpu });
    await rig.nextEvent(Kvm, 'exit');
    kvm.complete(answer);
    refused(t, 'NOT_WAITING', () => kvm.complete(answer));
    kvm.closeVm({ vm });
    refused(t, 'CLOSED_HANDLE', () => kvm.complete(answer));
  },
);
