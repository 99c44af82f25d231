import { spawnSync } from 'node:child_process';
import test, { type TestFn } from 'ava';

export type TreeFormat = 'dts' | 'dtb';

/** Runs the device tree compiler. @throws Error if it refuses, or warns of anything. */
export function dtc(from: TreeFormat, to: TreeFormat, input: Uint8Array): Uint8Array {
  const { status, stdout, stderr } = spawnSync('dtc', ['-I', from, '-O', to], { input });
  const said = stderr.toString();
  if (status !== 0 || said !== '') throw new Error(`dtc ended with ${status}: ${said}`);
  return new Uint8Array(stdout);
}

const isThere = spawnSync('dtc', ['--version']).status === 0;

const skipped = (title: string): void => test.skip(`${title} (skipped: dtc is missing)`, () => {});

/** `test`, or what registers skipped tests with the reason. */
export const dtcTest: TestFn = isThere ? test : (skipped as unknown as TestFn);
