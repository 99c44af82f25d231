import { channelSuite } from '../../contract/channel.suite.js';
import { makeNativeRig, nativeTest } from './native-rig.js';

channelSuite(nativeTest, makeNativeRig);
