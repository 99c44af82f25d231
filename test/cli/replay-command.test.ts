import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { EXIT } from '../../src/cli/failure.js';
import { inspectCommand } from '../../src/cli/inspect-command.js';
import { Output } from '../../src/cli/output.js';
import { replayCommand, replayFile } from '../../src/cli/replay-command.js';
import { TraceFormatError } from '../../src/trace/errors.js';
import { openTrace } from '../../src/trace/reader.js';
import { TraceWriter } from '../../src/trace/writer.js';

class Quiet extends Output {
  override line(): void {}
  override warn(): void {}
}

const RECORDING = 'recordings/hostile-guest/run.mcap';

/**
 * A copy of a recording with its turns as `change` wants them, and every checksum right.
 *
 * @param change gets a turn's bytes and its position in its lane; undefined drops it.
 */
function rewritten(
  t: ExecutionContext,
  change: (turn: Uint8Array, position: number) => Uint8Array | undefined,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-replay-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.mcap');
  const from = openTrace(RECORDING);
  const { metadata, schemas, channels } = from.info;
  const writer = new TraceWriter({ path, library: 'test', compression: 'zstd' });
  for (const { name, entries } of metadata) writer.writeMetadata(name, Object.fromEntries(entries));
  for (const { name, encoding, data } of schemas.values()) writer.addSchema(name, encoding, data);
  for (const channel of channels.values()) {
    writer.addChannel(channel.topic, channel.schemaId, channel.messageEncoding);
  }
  const cursor = from.messages();
  for (let position = 0; cursor.next(); position++) {
    const turn = change(cursor.buffer.slice(cursor.start, cursor.end), position);
    if (turn === undefined) continue;
    const { channelId, sequence, logTimeNs } = cursor;
    writer.writeMessage(channelId, sequence, logTimeNs, turn, 0, turn.length);
  }
  writer.close();
  from.close();
  return path;
}

async function refusal(t: ExecutionContext, path: string): Promise<TraceFormatError> {
  const error = await t.throwsAsync(replayFile(path, { match: 'exact' }), {
    instanceOf: TraceFormatError,
  });
  t.is(error.code, 'TRACE_CORRUPT');
  t.is(error.file, path);
  t.true(error.position > 0);
  t.is(await replayCommand([path], { match: 'exact' }, new Quiet(false)), EXIT.badInput);
  return error;
}

test('a copy of a recording replays', async (t) => {
  const path = rewritten(t, (turn) => turn);
  t.is((await replayFile(path, { match: 'exact' })).verdict, 'identical');
});

test('a file whose checksums are right and that lacks a turn is refused with its place', async (t) => {
  const path = rewritten(t, (turn, position) => (position === 6 ? undefined : turn));
  const { reason } = await refusal(t, path);
  t.is(reason, 'lane main, message 7: turn 7 stands where turn 6 should be: turns are missing');
});

test('a file whose checksums are right and whose turn is cut is refused with its place', async (t) => {
  const path = rewritten(t, (turn, position) => (position === 0 ? turn.subarray(0, 40) : turn));
  const { reason } = await refusal(t, path);
  t.regex(reason, /^lane main, message 0: /);
  await t.throwsAsync(inspectCommand(path, { turn: 0 }, new Quiet(false)), {
    instanceOf: TraceFormatError,
  });
});
