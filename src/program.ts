import type { ContainerModule, ServiceIdentifier } from 'inversify';
import type { HalContract } from './hal/contract/define.js';

/** What a lane's composition starts: its `start` is turn 0, and subscribes to the events that matter. */
export interface ProgramRoot {
  start(): void;
}

/** One process of a program. */
export interface Lane<Config> {
  /** Devices and policies, bound for this configuration. The HAL and the reactor are bound by the profile. */
  readonly modules: (config: Config) => readonly ContainerModule[];
  readonly root: ServiceIdentifier<ProgramRoot>;
  /**
   * Of a lane that jails itself: the calls and events that it has once it is jailed, as in "mmap.discard". Where another lane
   * does its work, in a run of a single process, a jail is judged by these.
   */
  readonly jailed?: readonly string[];
}

/**
 * A composition that can be run, recorded and, from a trace's metadata alone, built again. Where a lane runs is not its
 * matter: the `main` lane may ask `Process.spawn` for others.
 */
export interface Program<Config> {
  /** The package and the export that this program is, so that `replay` can find it. */
  readonly package: string;
  readonly export: string;
  /** Raised when the same configuration means something else. */
  readonly version: number;
  /** Every contract that any lane uses, in an order that never changes: it numbers the trace's messages. */
  readonly contracts: readonly HalContract[];
  readonly lanes: Readonly<Record<string, Lane<Config>>>;
  /** Checks a configuration read from outside. @throws ConfigError */
  readonly parseConfig: (json: unknown) => Config;
  /** What a run of this configuration must show, checked live and on every replay; undefined if nothing. */
  readonly check?: (config: Config) => ProgramCheck | undefined;
}

/** Looks on at one lane of a run and says at its end what it found. */
export interface ProgramCheck {
  readonly lane: string;
  /** Bound in addition, so that it sees what it wants to. They must not touch the HAL. */
  readonly modules: readonly ContainerModule[];
  findings(): readonly Finding[];
}

/** One thing that a run must show. */
export interface Finding {
  readonly what: string;
  readonly holds: boolean;
  /** The figures behind it. */
  readonly detail: string;
}

/** A configuration that the program does not accept. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'INVALID_CONFIG';
}

/** `device` of the lane `device#2`: a lane is started again under the same program. */
export function laneName(incarnation: string): string {
  return incarnation.split('#')[0] ?? incarnation;
}

export function laneOf<Config>(program: Program<Config>, incarnation: string): Lane<Config> {
  const lane = program.lanes[laneName(incarnation)];
  if (lane === undefined) {
    throw new ConfigError(
      `the program ${program.export} has no lane "${incarnation}"; it has ${Object.keys(program.lanes).join(', ')}`,
    );
  }
  return lane;
}
