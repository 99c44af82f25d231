import { nativeImplementations } from '../../../src/hal/native/index.js';
import { clockSuite } from '../../contract/clock.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { nativeTest } from './native-rig.js';

clockSuite(checkProfiles(nativeTest, nativeImplementations));
