import { nativeImplementations } from '../../../src/hal/native/index.js';
import { mmapSuite } from '../../contract/mmap.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { nativeTest } from './native-rig.js';

mmapSuite(checkProfiles(nativeTest, nativeImplementations));
