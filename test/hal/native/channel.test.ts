import { nativeImplementations } from '../../../src/hal/native/index.js';
import { channelSuite } from '../../contract/channel.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { nativeTest } from './native-rig.js';

channelSuite(checkProfiles(nativeTest, nativeImplementations));
