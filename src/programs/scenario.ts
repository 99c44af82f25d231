import type { MiB } from '../hal/contract/units.js';
import { ConfigError } from '../program.js';

/**
 * What a run does by itself, step by step: a person's hands, as data. It is part of the configuration, so a trace has it
 * and a replay does the same.
 */
export type ScenarioStep =
  /**
   * Waits until the guest's console shows a line that matches. What the first group of the pattern found is noted under
   * the name in `as`.
   */
  | { readonly waitLine: string; readonly as?: string }
  /** Types on the guest's console; a newline is added. */
  | { readonly type: string }
  /** Tells the balloon how much it shall hold, over its control channel. */
  | { readonly balloonMiB: MiB }
  /** Waits until the guest says that its balloon holds so much. */
  | { readonly waitActualMiB: MiB }
  /** Waits. */
  | { readonly seconds: number }
  /** Notes how much memory the host holds for the guest, and what the balloon holds, under this name. */
  | { readonly measure: string }
  /** Asks the guest for its statistics and notes them. */
  | { readonly stats: string }
  /** Kills the device's process, as a crash would. */
  | { readonly killDevice: true }
  /** Ends the run. */
  | { readonly stop: true };

export interface Scenario {
  readonly steps: readonly ScenarioStep[];
  /** A step that takes longer has failed, and with it the run. */
  readonly stepTimeoutSeconds: number;
}

export const NO_SCENARIO: Scenario = { steps: [], stepTimeoutSeconds: 120 };

type Check = (value: unknown) => boolean;
const text: Check = (value) => typeof value === 'string';
const amount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const yes: Check = (value) => value === true;

/** Each step has one of these. */
const VERBS: Readonly<Record<string, Check>> = {
  waitLine: isPattern,
  type: text,
  balloonMiB: amount,
  waitActualMiB: amount,
  seconds: amount,
  measure: text,
  stats: text,
  killDevice: yes,
  stop: yes,
};

function isPattern(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    new RegExp(value);
    return true;
  } catch {
    return false;
  }
}

/** @throws ConfigError naming the step. */
export function parseScenario(given: unknown): Scenario {
  if (typeof given !== 'object' || given === null) {
    throw new ConfigError('scenario must be an object with "steps"');
  }
  const {
    steps = [],
    stepTimeoutSeconds = NO_SCENARIO.stepTimeoutSeconds,
    ...rest
  } = given as Record<string, unknown>;
  const stranger = Object.keys(rest)[0];
  if (stranger !== undefined) {
    throw new ConfigError(`scenario has no "${stranger}"; it has steps, stepTimeoutSeconds`);
  }
  if (!Array.isArray(steps)) throw new ConfigError('scenario.steps must be a list');
  if (!amount(stepTimeoutSeconds) || stepTimeoutSeconds === 0) {
    throw new ConfigError('scenario.stepTimeoutSeconds must be a number above 0');
  }
  return {
    steps: steps.map((step, index) => checkedStep(step, index)),
    stepTimeoutSeconds: stepTimeoutSeconds as number,
  };
}

function checkedStep(step: unknown, index: number): ScenarioStep {
  const entries = typeof step === 'object' && step !== null ? Object.entries(step) : [];
  const [verb] = entries.filter(([name]) => name !== 'as');
  const check = verb === undefined ? undefined : VERBS[verb[0]];
  const extra = entries.filter(([name]) => name !== verb?.[0]);
  const mayHaveName =
    verb?.[0] === 'waitLine' && extra.every(([name, v]) => name === 'as' && text(v));
  if (verb === undefined || check === undefined || !check(verb[1])) {
    throw new ConfigError(
      `scenario.steps[${index}] must be one of ${Object.keys(VERBS).join(', ')} with its value, got ${JSON.stringify(step)}`,
    );
  }
  if (extra.length > 0 && !mayHaveName) {
    throw new ConfigError(
      `scenario.steps[${index}] says more than one thing: ${JSON.stringify(step)}`,
    );
  }
  return step as ScenarioStep;
}
