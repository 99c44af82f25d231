import { nativeImplementations } from '../../../src/hal/native/index.js';
import { eventFdSuite } from '../../contract/event-fd.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { nativeTest } from './native-rig.js';

eventFdSuite(checkProfiles(nativeTest, nativeImplementations));
