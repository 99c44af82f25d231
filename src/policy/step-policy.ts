import {
  BYTES_PER_MIB,
  type Bytes,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
} from '../hal/contract/units.js';
import type {
  LowMemoryDraws,
  Observation,
  StepAction,
  StepConfig,
  StepInput,
  StepLimits,
  StepResult,
  StepState,
  StepWhy,
} from './step-types.js';

/**
 * The balloon policy of crosvm's "balloon: Implement device policy" (448516e3f9, 2018): a sixteenth of the maximum more
 * at every low-memory event, a sixteenth less while the host has room. Pure: the host of the policy reads the figures,
 * draws the random parts and carries out the actions.
 *
 * Where that change's message and its code differ, this follows the code:
 * - the message speaks of "more than 1.5GB" and "500MB"; the code compares with >= 1536 MiB and >= 512 MiB;
 * - the message says the balloon is empty "at most 9 minutes" after the pressure; with the worst jitter it takes 596 s.
 *
 * Where the original ends the VM, this lives on, and says so once: a margin that is "off" makes the policy idle, figures
 * that cannot be read disable it. The original counts a target as told even if sending failed, so that device and policy
 * differ from then on; here `currentBytes` stays what the device took, and the target waits in `unsentBytes` for the
 * next event, which sends it again or decides a newer one.
 */
export function step(state: StepState, input: StepInput): StepResult {
  switch (input.kind) {
    case 'low-memory':
      return onLowMemory(state, input.draws);
    case 'low-memory-timer':
      return onLowMemoryTimer(state);
    case 'free-memory-timer':
      return onFreeMemoryTimer(state, input.observation);
    case 'margin-read':
      return onMarginRead(state, input.observation);
    case 'send-result':
      return onSendResult(state, input.failure);
    case 'source-failed':
      return disable(state, { rule: 'P1.8-no-source', reason: input.reason });
  }
}

/** The state before the first figures were read. Throws RangeError if the configuration makes no sense. */
export function initialState(config: StepConfig): StepState {
  const timeScale = config.timeScale ?? 1;
  if (!(timeScale > 0 && Number.isFinite(timeScale))) {
    throw new RangeError(`timeScale must be a number above 0, got ${timeScale}`);
  }
  return {
    limits: stepLimits(config.ramBytes),
    timeScale,
    mode: 'starting',
    currentBytes: 0,
    unsentBytes: undefined,
    sendFailing: false,
    listening: false,
    draws: undefined,
  };
}

/** What follows from the guest's memory. The jump at 1536 MiB is the original's: a VM just below has the larger balloon. */
export function stepLimits(ramBytes: Bytes): StepLimits {
  if (!Number.isSafeInteger(ramBytes) || ramBytes < 0) {
    throw new RangeError(`ramBytes must be a whole number of bytes, got ${ramBytes}`);
  }
  const maxBytes = maximum(ramBytes);
  const incrementBytes = Math.floor(maxBytes / 16);
  return { maxBytes, incrementBytes, roomMiB: 2 * Math.floor(incrementBytes / BYTES_PER_MIB) };
}

function maximum(ramBytes: Bytes): Bytes {
  if (ramBytes >= 1536 * BYTES_PER_MIB) return ramBytes - 1024 * BYTES_PER_MIB;
  if (ramBytes >= 512 * BYTES_PER_MIB) return Math.floor(ramBytes / 2);
  return 0;
}

/** True if a `low-memory` input has to carry draws now; nothing may be drawn otherwise. */
export function wantsDraws(state: StepState): boolean {
  return state.mode === 'active' && state.listening;
}

/** True if a `free-memory-timer` input has to carry an observation now; the original reads no figures otherwise. */
export function wantsObservation(state: StepState): boolean {
  return state.mode === 'active' && !isEmpty(state);
}

function isEmpty(state: StepState): boolean {
  return state.currentBytes === 0 && state.unsentBytes === undefined;
}

/** At least 1 ns: a timer armed with 0 would be a stopped one. */
function scaled(state: StepState, durationNs: Nanoseconds): Nanoseconds {
  return Math.max(1, Math.round(durationNs * state.timeScale));
}

function armFreeMemoryTimer(
  state: StepState,
  draws: LowMemoryDraws,
): StepAction & { kind: 'arm-timer' } {
  return {
    kind: 'arm-timer',
    timer: 'free-memory',
    firstNs: scaled(state, (60 + draws.freeFirstS) * NS_PER_S),
    periodNs: scaled(state, (30 + draws.freePeriodS) * NS_PER_S),
  };
}

/** Decides a target. Delivery counts when its result comes; a target that is told already needs none. */
function decide(state: StepState, targetBytes: Bytes): { state: StepState; sends: StepAction[] } {
  if (targetBytes === state.currentBytes) {
    return { state: { ...state, unsentBytes: undefined }, sends: [] };
  }
  return {
    state: { ...state, unsentBytes: targetBytes },
    sends: [{ kind: 'send', targetBytes }],
  };
}

/** For a step that decides no target: what an earlier failure left over is sent again. */
function sendAgain(state: StepState): { sends: StepAction[]; sentAgainBytes: Bytes | undefined } {
  const sentAgainBytes = state.unsentBytes;
  return {
    sends: sentAgainBytes === undefined ? [] : [{ kind: 'send', targetBytes: sentAgainBytes }],
    sentAgainBytes,
  };
}

function notWanted(state: StepState): StepResult {
  return { state, actions: [], why: { rule: 'not-wanted', mode: state.mode } };
}

function onLowMemory(state: StepState, draws: LowMemoryDraws | undefined): StepResult {
  if (!wantsDraws(state)) return notWanted(state);
  if (draws === undefined) {
    throw new TypeError('a low-memory input needs draws while the policy listens');
  }
  const { maxBytes, incrementBytes } = state.limits;
  const fromBytes = state.currentBytes;
  const toBytes = Math.min(fromBytes + incrementBytes, maxBytes);
  const { state: decided, sends } = decide(state, toBytes);
  const lowTimerNs = scaled(state, (1000 + draws.lowTimerMs) * NS_PER_MS);
  const free = armFreeMemoryTimer(state, draws);
  const rearmed = {
    maxBytes,
    incrementBytes,
    lowTimerNs,
    freeFirstNs: free.firstNs,
    freePeriodNs: free.periodNs,
  };
  return {
    state: { ...decided, listening: false, draws },
    // The timers start again in any case, with no balloon to grow too: so the host is asked once a second, not at once.
    actions: [
      ...sends,
      { kind: 'disarm-pressure' },
      { kind: 'arm-timer', timer: 'low-memory', firstNs: lowTimerNs, periodNs: 0 },
      free,
    ],
    why:
      fromBytes === toBytes
        ? { rule: 'P1.1-at-max', currentBytes: fromBytes, ...rearmed }
        : { rule: 'P1.1-grow', fromBytes, toBytes, ...rearmed },
  };
}

function onLowMemoryTimer(state: StepState): StepResult {
  if (state.mode !== 'active' || state.listening) return notWanted(state);
  const { sends, sentAgainBytes } = sendAgain(state);
  return {
    state: { ...state, listening: true },
    actions: [...sends, { kind: 'arm-pressure' }],
    why: { rule: 'P1.2-listen-again', sentAgainBytes },
  };
}

function onFreeMemoryTimer(state: StepState, observation: Observation | undefined): StepResult {
  if (state.mode !== 'active') return notWanted(state);
  if (isEmpty(state)) {
    return {
      state,
      actions: [{ kind: 'disarm-timer', timer: 'free-memory' }],
      why: { rule: 'P1.3-empty' },
    };
  }
  if (observation === undefined) {
    throw new TypeError('a free-memory-timer input needs an observation while the balloon is used');
  }
  if (observation.status === 'off') return becomeIdle(state);
  if (observation.status === 'unreadable') {
    return disable(state, { rule: 'P1.6-unreadable', reason: observation.reason });
  }
  return shrinkIfRoom(state, observation);
}

function shrinkIfRoom(state: StepState, observed: Observation & { status: 'read' }): StepResult {
  const { availableMiB, marginMiB } = observed;
  const neededMiB = marginMiB + state.limits.roomMiB;
  const room = { availableMiB, marginMiB, neededMiB };
  const fromBytes = state.currentBytes;
  if (availableMiB < neededMiB) {
    const { sends, sentAgainBytes } = sendAgain(state);
    return {
      state,
      actions: sends,
      why: { rule: 'P1.3-not-enough-room', currentBytes: fromBytes, ...room, sentAgainBytes },
    };
  }
  const toBytes = Math.max(0, fromBytes - state.limits.incrementBytes);
  const { state: decided, sends } = decide(state, toBytes);
  return {
    state: decided,
    actions: sends,
    why: { rule: 'P1.3-shrink', fromBytes, toBytes, ...room },
  };
}

function onSendResult(state: StepState, failure: string | undefined): StepResult {
  const { unsentBytes, currentBytes } = state;
  if (unsentBytes === undefined) return notWanted(state);
  if (failure === undefined) {
    return {
      state: { ...state, currentBytes: unsentBytes, unsentBytes: undefined, sendFailing: false },
      actions: [],
      why: { rule: 'P1.5-delivered', currentBytes: unsentBytes },
    };
  }
  const message = `the balloon's target could not be sent (${failure}); every event sends it again`;
  return {
    state: { ...state, sendFailing: true },
    actions: state.sendFailing ? [] : [{ kind: 'say', message }],
    why: { rule: 'P1.5-send-failed', currentBytes, unsentBytes, reason: failure },
  };
}

function onMarginRead(state: StepState, observation: Observation): StepResult {
  if (state.mode !== 'starting' && state.mode !== 'idle') return notWanted(state);
  if (observation.status === 'unreadable') {
    return disable(state, { rule: 'P1.6-unreadable', reason: observation.reason });
  }
  if (observation.status === 'off') {
    return state.mode === 'idle' ? stayIdle(state) : becomeIdle(state);
  }
  return activate(state, observation);
}

function activate(state: StepState, observed: Observation & { status: 'read' }): StepResult {
  const { availableMiB, marginMiB } = observed;
  const active: StepState = { ...state, mode: 'active', listening: true };
  if (state.mode === 'starting') {
    return {
      state: active,
      actions: [{ kind: 'arm-pressure' }],
      why: { rule: 'start', availableMiB, marginMiB },
    };
  }
  const { sends, sentAgainBytes } = sendAgain(state);
  const actions: StepAction[] = [
    ...sends,
    { kind: 'disarm-timer', timer: 'margin' },
    { kind: 'arm-pressure' },
  ];
  // Being idle stopped the way down; nothing but a low-memory event draws, so the last jitter serves again.
  if (state.draws !== undefined) actions.push(armFreeMemoryTimer(state, state.draws));
  actions.push({ kind: 'say', message: `the margin is back (${marginMiB} MiB): policy active` });
  return { state: active, actions, why: { rule: 'P1.6-margin-back', marginMiB, sentAgainBytes } };
}

function becomeIdle(state: StepState): StepResult {
  const readAgainNs = scaled(state, 60 * NS_PER_S);
  const { sends, sentAgainBytes } = sendAgain(state);
  return {
    state: { ...state, mode: 'idle', listening: false },
    actions: [
      ...sends,
      ...silence(state),
      { kind: 'arm-timer', timer: 'margin', firstNs: readAgainNs, periodNs: readAgainNs },
      {
        kind: 'say',
        message: `the low-memory margin is off: policy idle, reads it again every ${readAgainNs / NS_PER_S} s`,
      },
    ],
    why: { rule: 'P1.6-margin-off', readAgainNs, sentAgainBytes },
  };
}

function stayIdle(state: StepState): StepResult {
  const { sends, sentAgainBytes } = sendAgain(state);
  return { state, actions: sends, why: { rule: 'P1.6-margin-still-off', sentAgainBytes } };
}

function disable(state: StepState, why: StepWhy & { reason: string }): StepResult {
  if (state.mode === 'disabled') return notWanted(state);
  const stopMargin: StepAction[] =
    state.mode === 'idle' ? [{ kind: 'disarm-timer', timer: 'margin' }] : [];
  return {
    state: { ...state, mode: 'disabled', listening: false },
    actions: [
      ...silence(state),
      ...stopMargin,
      { kind: 'say', message: `policy disabled: ${why.reason}` },
    ],
    why,
  };
}

/** Stops what an active policy has running. */
function silence(state: StepState): StepAction[] {
  if (state.mode !== 'active') return [];
  const actions: StepAction[] = [];
  if (state.listening) actions.push({ kind: 'disarm-pressure' });
  actions.push({ kind: 'disarm-timer', timer: 'low-memory' });
  actions.push({ kind: 'disarm-timer', timer: 'free-memory' });
  return actions;
}
