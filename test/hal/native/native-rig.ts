import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import test, { type ExecutionContext, type TestFn } from 'ava';
import { HalError } from '../../../src/hal/contract/errors.js';
import { loadAddon } from '../../../src/hal/native/index.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { makeNativeRig, type NativeRig } from './native-implementations.js';

export { makeNativeRig } from './native-implementations.js';

/** Why there can be no native test here, or undefined. */
function missingAddon(): string | undefined {
  try {
    loadAddon();
    return undefined;
  } catch (error) {
    if (HalError.is(error)) return 'the addon is not built';
    throw error;
  }
}

/** Why there can be no test with KVM here, or undefined. */
export function whyNoKvm(): string | undefined {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return 'no /dev/kvm for this user';
  }
}

/** Why no process can be jailed here, or undefined. */
export function whyNoJail(): string | undefined {
  const missing = missingAddon();
  if (missing !== undefined) return missing;
  const rig = makeNativeRig();
  try {
    const { tsync, userNotify } = rig.hal(Seccomp).probe();
    return tsync && userNotify ? undefined : 'this kernel takes no seccomp filters with a listener';
  } finally {
    rig.dispose();
  }
}

/** Why nothing can be looked at with strace(1) here, or undefined. */
export function whyNoStrace(): string | undefined {
  const { status } = spawnSync('strace', ['-f', '-o', '/dev/null', process.execPath, '-v']);
  return status === 0 ? undefined : 'no strace, or it may not trace';
}

/** `test`, or what registers skipped tests with this reason. */
export function orSkip(reason: string | undefined): TestFn {
  if (reason === undefined) return test;
  const skip = (title: string) => test.skip(`${title} (skipped: ${reason})`, () => {});
  return skip as unknown as TestFn;
}

/** `test`, or what registers skipped tests with the reason. */
export const nativeTest: TestFn = orSkip(missingAddon());
export const jailTest: TestFn = orSkip(whyNoJail());
export const kvmTest: TestFn = orSkip(missingAddon() ?? whyNoKvm());

/** Declares tests of the native side alone, each with a rig of its own. */
export function rigTests(
  testFn: TestFn,
): (title: string, body: (t: ExecutionContext, rig: NativeRig) => void | Promise<void>) => void {
  return (title, body) => {
    testFn(title, async (t) => {
      const rig = makeNativeRig();
      try {
        await body(t, rig);
      } finally {
        rig.dispose();
      }
    });
  };
}
