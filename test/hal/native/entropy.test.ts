import { nativeImplementations } from '../../../src/hal/native/index.js';
import { entropySuite } from '../../contract/entropy.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { nativeTest } from './native-rig.js';

entropySuite(checkProfiles(nativeTest, nativeImplementations));
