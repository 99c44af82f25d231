import { kvmSuite } from '../../contract/kvm.suite.js';
import { kvmRefusalsSuite } from '../../contract/kvm-refusals.suite.js';
import { kvmTest, makeNativeRig } from './native-rig.js';

kvmSuite(kvmTest, makeNativeRig);
kvmRefusalsSuite(kvmTest, makeNativeRig);
