import { mmapSuite } from '../../contract/mmap.suite.js';
import { makeNativeRig, nativeTest } from './native-rig.js';

mmapSuite(nativeTest, makeNativeRig);
