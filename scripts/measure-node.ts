import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TurnSchema } from '../src/hal/contract/schema.js';
import { decodeTurn } from '../src/hal/replay/turn-decoder.js';
import { balloonVm } from '../src/programs/balloon-vm.js';
import { architectureOf } from '../src/seccomp/architecture.js';
import { openTraceFile, readLane } from '../src/trace/trace-file.js';
import { madeSyscalls } from '../src/verdict/made-syscalls.js';
import type { NodeFootprint, SeenSyscall } from '../src/verdict/node-footprint.js';
import { keyOf, type LoggedSyscall, readThreads } from './strace-threads.js';
import { namedArguments } from './syscall-shapes.js';

const architecture = architectureOf(process.arch);

/** What the calls of the HAL account for, by the same keys as what was seen. */
function declaredCounts(path: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const trace = openTraceFile(path);
  const lane = trace.lanes.find(({ name }) => name === 'device');
  if (lane === undefined) throw new Error('the recording has no lane "device"');
  const schema = new TurnSchema(balloonVm.contracts);
  let isJailed = false;
  readLane(trace, lane, (source) => {
    while (source.next()) {
      const { event, calls } = decodeTurn(schema, source.buffer, source.start, source.end);
      const entries = [
        ...(event === undefined ? [] : [{ spec: event.spec, args: event.payload }]),
        ...calls,
      ];
      for (const { spec, args } of entries) {
        if (isJailed) count(spec.definition.options.syscalls ?? [], args, counts);
        if (spec.name === 'confineAndNotify') isJailed = true;
      }
    }
  });
  trace.reader.close();
  return counts;
}

/** What may not have been made is not taken away: it is then Node's, too. */
function count(
  footprint: Parameters<typeof madeSyscalls>[0] | 'node',
  args: Readonly<Record<string, unknown>>,
  counts: Map<string, number>,
): void {
  if (footprint === 'node') return;
  for (const { name, words, times, count: made } of madeSyscalls(footprint, args, architecture)) {
    if (times !== 'once') continue;
    const key = keyOf(name, namedArguments(name, words, architecture));
    counts.set(key, (counts.get(key) ?? 0) + made);
  }
}

function nodesOwn(
  threads: readonly (readonly LoggedSyscall[])[],
  declared: ReadonlyMap<string, number>,
): readonly SeenSyscall[] {
  const own = new Map<string, SeenSyscall>();
  threads.forEach((seen, index) => {
    const left = new Map(index === 0 ? declared : []);
    for (const { name, words } of seen) {
      const args = namedArguments(name, words, architecture);
      const key = keyOf(name, args);
      const rest = left.get(key) ?? 0;
      if (rest > 0) left.set(key, rest - 1);
      else {
        const here = index === 0 ? 'main' : 'other';
        const before = own.get(key)?.threads ?? here;
        own.set(key, { name, args, threads: before === here ? here : 'all' });
      }
    }
  });
  return [...own.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, seen]) => seen);
}

/**
 * Measures what Node itself does in a jailed device's process, on this machine, by strace(1): what is left of all that it
 * does once it is jailed, when what the recorded calls and events of the HAL declare is taken away.
 *
 * @throws Error if the device does not serve, or may not be traced.
 */
export function measureNode(seconds: number): NodeFootprint {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-footprint-'));
  try {
    const record = join(folder, 'run.mcap');
    const serve = fileURLToPath(new URL('./serve-device.js', import.meta.url));
    const tracing = ['-f', '-ff', '-q', '-ttt', '-e', 'raw=all', '-o', join(folder, 'log')];
    const { status, stdout, stderr } = spawnSync(
      'strace',
      [...tracing, process.execPath, serve, record, String(seconds)],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`the device did not serve: ${stderr}`);
    const { kicks } = JSON.parse(stdout) as { kicks: number };
    const logs = readdirSync(folder).filter((name) => name.startsWith('log.'));
    const texts = new Map(
      logs.map((name) => [Number(name.slice(4)), readFileSync(join(folder, name), 'utf8')]),
    );
    return {
      node: process.version,
      arch: architecture.name,
      measured: `by strace of a jailed device that was recorded, ${seconds} s and ${kicks} kicks, on Linux ${release()}`,
      syscalls: nodesOwn(readThreads(texts), declaredCounts(record)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
