import { eventFdSuite } from '../../contract/event-fd.suite.js';
import { makeNativeRig, nativeTest } from './native-rig.js';

eventFdSuite(nativeTest, makeNativeRig);
