import { release } from 'node:os';
import { ContainerModule } from 'inversify';
import type { AnyImplementation } from '../hal/bind.js';
import type { ConsoleInput } from '../hal/native/console.js';
import { packageVersion } from '../package-info.js';
import type { BalloonVmConfig } from '../programs/balloon-config.js';
import { BALLOON_VM_OBSERVER, type BalloonVmObserver, balloonVm } from '../programs/balloon-vm.js';
import type { RunEnd } from '../reactor/reactor.js';
import { runLane } from '../run.js';
import type { TraceWriteError } from '../trace/errors.js';
import { Recording } from '../trace/recording.js';
import { ChildLanes } from './child-lanes.js';
import { type GuestImages, hardware } from './hardware.js';
import { optimiseRarely } from './tiering.js';

export interface LiveOptions {
  readonly config: BalloonVmConfig;
  readonly record: string | undefined;
  readonly onTraceError: 'stop' | 'go-on';
  readonly observer: BalloonVmObserver;
  readonly console: NodeJS.WritableStream | undefined;
  /** What the user types for the guest. */
  readonly input?: ConsoleInput | undefined;
  readonly images: GuestImages;
  /** What the device's process jails itself with, if the configuration says that it does. */
  readonly filterPrograms?: ReadonlyMap<string, Uint8Array> | undefined;
  /** Puts something in front of the hardware, below the recorder: injected faults. Not in the device's process. */
  readonly arrange?: ArrangeHardware | undefined;
  readonly warn: (text: string) => void;
}

export type ArrangeHardware = (hardware: readonly AnyImplementation[]) => AnyImplementation[];

export interface LiveEnd extends RunEnd {
  readonly traceError: TraceWriteError | undefined;
  readonly traceBytes: number | undefined;
}

/** Monotonic time of this host, in nanoseconds: alike in all its processes. */
export const monotonicNs = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
};

/** Runs the balloon VM on this machine's hardware, and records it if asked. */
export async function runLive(options: LiveOptions): Promise<LiveEnd> {
  const { config, record, onTraceError, observer, warn } = options;
  optimiseRarely();
  const program = {
    package: balloonVm.package,
    export: balloonVm.export,
    version: balloonVm.version,
    config,
  };
  const children = new ChildLanes(program, { filterPrograms: options.filterPrograms });
  const lanes = config.device === 'process' ? children.starter(record !== undefined) : undefined;
  const found = await hardware({
    console: { output: options.console, input: options.input },
    images: options.images,
    ...(lanes === undefined ? {} : { lanes }),
  });
  const implementations = options.arrange?.(found) ?? found;
  const extra = [
    new ContainerModule(({ bind }) => void bind(BALLOON_VM_OBSERVER).toConstantValue(observer)),
  ];
  if (record === undefined) {
    const profile = { kind: 'native' as const, implementations, clockNs: monotonicNs };
    const end = await runLane(balloonVm, 'main', config, profile, extra).ended;
    return { ...end, traceError: undefined, traceBytes: undefined };
  }
  let stop = () => {};
  const recording = new Recording({
    path: record,
    program,
    contracts: balloonVm.contracts,
    library: `halyard ${packageVersion()}`,
    machine: { guest: config.guestArchitecture, kernel: release(), page: '4096' },
    onError: (error) => {
      warn(`${error.message}; the VM ${onTraceError === 'stop' ? 'stops' : 'goes on'}`);
      if (onTraceError === 'stop') stop();
    },
  });
  children.recording = recording;
  const sink = recording.lane('main');
  const profile = { kind: 'recording' as const, implementations, clockNs: monotonicNs, sink };
  const run = runLane(balloonVm, 'main', config, profile, extra);
  stop = run.stop;
  if (recording.failed !== undefined && onTraceError === 'stop') run.stop();
  const end = await run.ended;
  const message = end.failure instanceof Error ? end.failure.message : '';
  recording.endLane('main', end.failure === undefined ? 'stopped' : 'failed', message);
  await children.ended();
  recording.close();
  return { ...end, traceError: recording.failed, traceBytes: recording.writtenBytes };
}
