import { clockSuite } from '../../contract/clock.suite.js';
import { makeNativeRig, nativeTest } from './native-rig.js';

clockSuite(nativeTest, makeNativeRig);
