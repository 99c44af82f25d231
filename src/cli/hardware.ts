import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyImplementation } from '../hal/bind.js';
import { UnsupportedError } from '../hal/contract/errors.js';
import { type Implementation, implement } from '../hal/contract/implementation.js';
import { Mmap } from '../hal/mmap.js';
import type { ConsoleInput } from '../hal/native/console.js';
import type { NativeOptions } from '../hal/native/index.js';
import { packageRoot } from '../package-info.js';
import { diskName, INITRD_IMAGE, KERNEL_IMAGE, MICRO_GUEST_IMAGE } from '../programs/balloon-vm.js';

/** The terminal of a guest's console. */
export interface ConsoleStreams {
  readonly output?: NodeJS.WritableStream | undefined;
  readonly input?: ConsoleInput | undefined;
}

/** Where this machine has the images of a Linux guest. */
export interface GuestImages {
  readonly kernel?: string | undefined;
  readonly initrd?: string | undefined;
  /** Undefined for a disk without a file. */
  readonly disks?: readonly (string | undefined)[];
}

export interface HardwareOptions {
  /** Where the guest's console goes and comes from; what is missing drops it, or never has anything. */
  readonly console?: ConsoleStreams;
  /** What a Linux guest boots from. */
  readonly images?: GuestImages;
  /** How to start other lanes in processes of their own; undefined refuses to. */
  readonly lanes?: NativeOptions['lanes'];
  /** What this process may jail itself with. */
  readonly filterPrograms?: NativeOptions['filterPrograms'];
}

export function microGuestPath(): string {
  return join(packageRoot(), 'build', 'guest', 'micro-guest.bin');
}

/**
 * This machine's hardware, for the native and the recording profile. Nothing of it is loaded before this is called.
 *
 * @throws UnsupportedError without the addon or the micro guest.
 */
export async function hardware(options: HardwareOptions = {}): Promise<AnyImplementation[]> {
  const { console = {}, images = {}, lanes, filterPrograms } = options;
  const native = await import('../hal/native/index.js');
  const { hostFilesOver } = await import('../hal/native/host-files.js');
  const { memPressureOf } = await import('../hal/native/mem-pressure.js');
  const { consoleOn } = await import('../hal/native/console.js');
  const { processOf } = await import('../hal/native/process.js');
  /** The ChromeOS notifier is watched through the addon, where there is one. */
  const pressure = (): AnyImplementation => {
    const watcher = native.readableWatcher();
    const source = memPressureOf({ watcher });
    const dispose = () => {
      source.dispose?.();
      watcher.dispose();
    };
    return { ...source, dispose };
  };
  const disks = (name: string): string | undefined =>
    images.disks?.find((_, index) => name === diskName(index));
  const implementations: AnyImplementation[] = [
    ...native.nativeImplementations({
      disks,
      ...(lanes === undefined ? {} : { lanes }),
      ...(filterPrograms === undefined ? {} : { filterPrograms }),
    }),
    hostFilesOver(),
    pressure(),
    consoleOn({
      output: console.output ?? NOWHERE,
      ...(console.input === undefined ? {} : { input: console.input }),
    }),
    ...(lanes === undefined ? [processOf()] : []),
  ];
  return implementations.map((implementation) =>
    implementation.contract === Mmap
      ? withImages(implementation as unknown as Implementation<typeof Mmap>, images)
      : implementation,
  );
}

const NOWHERE = { write: () => true, on: () => undefined };

/** Images have names in traces, and paths only here: a path of this machine would keep a trace from being replayed. */
function withImages(mmap: Implementation<typeof Mmap>, images: GuestImages): AnyImplementation {
  return implement(
    Mmap,
    (emit) => {
      const inner = mmap.create(emit);
      return {
        ...inner,
        load: (args) => inner.load({ ...args, path: imagePath(args.path, images) }),
        loadRange: (args) => inner.loadRange({ ...args, path: imagePath(args.path, images) }),
      };
    },
    {
      ...(mmap.validates === undefined ? {} : { validates: mmap.validates }),
      ...(mmap.dispose === undefined ? {} : { dispose: mmap.dispose }),
    },
  );
}

function imagePath(name: string, { kernel, initrd }: GuestImages): string {
  if (name === KERNEL_IMAGE && kernel !== undefined) return kernel;
  if (name === INITRD_IMAGE && initrd !== undefined) return initrd;
  if (name !== MICRO_GUEST_IMAGE) return name;
  const path = microGuestPath();
  if (existsSync(path)) return path;
  throw new UnsupportedError(
    'The micro guest is not built',
    'Run "npm run build:native" on x86_64 Linux with gcc and binutils.',
  );
}
