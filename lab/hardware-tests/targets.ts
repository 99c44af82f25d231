import type { GuestArchitecture } from '../../src/guest-image/architecture.js';

/** An architecture on which the tests run, as this project calls it: `arm` is 32-bit, on the kernel of an arm64 host. */
export type TestTarget = 'x86_64' | 'arm64' | 'arm';
export const TEST_TARGETS: readonly TestTarget[] = ['x86_64', 'arm64', 'arm'];

export interface TargetMachine {
  readonly host: GuestArchitecture;
  /** Of Debian's, for the tests' helpers. */
  readonly compiler: string;
  readonly compilerPackage: string;
  /** What the host has not by itself: a Node, an addon, and the loader and libraries for them. */
  readonly foreign?: {
    /** By `npm run arm-nodes`. */
    readonly node: string;
    /** By `npm run prebuilds`. */
    readonly addon: string;
    readonly libraries: string;
    readonly loader: string;
  };
  /** The tests that look at hardware or at the kernel, as AVA takes them. */
  readonly files: readonly string[];
}

const EVERYWHERE = [
  'test/hal/native/*.test.ts',
  'test/programs/*.test.ts',
  'test/seccomp/jail/*.test.ts',
  'test/seccomp/kernel.test.ts',
  'test/verdict/native/*.test.ts',
];

export const TARGET_MACHINES: Readonly<Record<TestTarget, TargetMachine>> = {
  x86_64: {
    host: 'x86_64',
    compiler: 'x86_64-linux-gnu-gcc',
    compilerPackage: 'gcc',
    files: [
      ...EVERYWHERE,
      'test/machine/boot-on-kvm.test.ts',
      'test/cli/*-on-kvm.test.ts',
      'test/cli/interrupted.test.ts',
    ],
  },
  arm64: {
    host: 'arm64',
    compiler: 'aarch64-linux-gnu-gcc',
    compilerPackage: 'gcc-aarch64-linux-gnu',
    files: EVERYWHERE,
  },
  arm: {
    host: 'arm64',
    compiler: 'arm-linux-gnueabihf-gcc',
    compilerPackage: 'gcc-arm-linux-gnueabihf',
    foreign: {
      node: 'build/arm-nodes/arm/node',
      addon: 'prebuilds/linux-arm',
      libraries: '/usr/arm-linux-gnueabihf/lib',
      loader: 'ld-linux-armhf.so.3',
    },
    files: EVERYWHERE,
  },
};
