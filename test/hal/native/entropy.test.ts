import { entropySuite } from '../../contract/entropy.suite.js';
import { makeNativeRig, nativeTest } from './native-rig.js';

entropySuite(nativeTest, makeNativeRig);
