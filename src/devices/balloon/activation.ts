import { SnapshotError } from '../snapshot-error.js';
import type { Activation, ActivationRefusal } from '../virtio/backend.js';
import { type FeatureSet, notOffered, sameFeatures } from '../virtio/features.js';
import type { GuestMemory } from '../virtio/guest-memory.js';
import { validateQueue } from '../virtio/split-queue.js';
import {
  DEFLATE_QUEUE,
  HINT_DONE,
  INFLATE_QUEUE,
  LAST_HINT_COMMAND,
  QUEUE_SIZE,
} from './constants.js';
import { queueCount, queueFunctions } from './queue-functions.js';
import type { BalloonSnapshot } from './snapshot.js';

/** Why a balloon that offers this does not start so; undefined if it does. */
export function activationRefusal(
  memory: GuestMemory,
  offered: FeatureSet,
  activation: Activation,
): ActivationRefusal | undefined {
  if (notOffered(activation.features, offered) !== undefined) {
    return { reason: 'features', queue: undefined };
  }
  for (const queue of activation.queues) {
    if (queue.index >= queueCount(offered)) return { reason: 'unknown-queue', queue: queue.index };
    const reason = validateQueue(memory, queue, QUEUE_SIZE);
    if (reason !== undefined) return { reason, queue: queue.index };
  }
  const missing = [INFLATE_QUEUE, DEFLATE_QUEUE].find(
    (index) => !activation.queues.some((queue) => queue.index === index),
  );
  return missing === undefined ? undefined : { reason: 'missing-queue', queue: missing };
}

/** @throws SnapshotError if a balloon that offers this cannot have been in that state. */
export function checkSnapshot(
  memory: GuestMemory,
  ownOffer: FeatureSet,
  snapshot: BalloonSnapshot,
): void {
  const { offeredFeatures: offered, features } = snapshot;
  if (!sameFeatures(offered, ownOffer) || notOffered(features, offered)) {
    throw new SnapshotError(
      'FEATURES_DIFFER',
      'the snapshot is of a balloon that offers other features; restore it into one with the same options',
    );
  }
  for (const queue of snapshot.queues) {
    const refusal = validateQueue(memory, queue, QUEUE_SIZE);
    if (refusal !== undefined || queue.index >= queueCount(offered)) {
      throw new SnapshotError('CORRUPT', `queue ${queue.index} is ${refusal ?? 'unknown'}`);
    }
  }
  checkHeldBuffer(snapshot);
  const { command, lastCommand } = snapshot.hinting;
  for (const value of [command, lastCommand, snapshot.poisonValue]) {
    if (!isU32(value)) throw new SnapshotError('CORRUPT', `${value} fits no config field`);
  }
  if (lastCommand < HINT_DONE || (command > HINT_DONE && command !== lastCommand)) {
    throw new SnapshotError('CORRUPT', `hint command ${command} is not the last one started`);
  }
}

function checkHeldBuffer({ offeredFeatures, features, queues, stats }: BalloonSnapshot): void {
  const { heldHead } = stats;
  if (heldHead === undefined) return;
  const indices = queues.map(({ index }) => index);
  const functions = queueFunctions(offeredFeatures, features, indices);
  const size = queues.find(({ index }) => functions.get(index) === 'stats')?.size ?? 0;
  if (!(heldHead >= 0 && heldHead < size)) {
    throw new SnapshotError('CORRUPT', `no statistics buffer can be at ${heldHead}`);
  }
}

function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= LAST_HINT_COMMAND;
}
