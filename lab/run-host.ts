import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type HostMessage, parseHostMessage } from './host-init.js';
import { consolePath, type QemuHost, socketPath, startQemu } from './qemu.js';

export interface HostOutputs {
  readonly stdout: (bytes: Buffer) => void;
  readonly stderr: (bytes: Buffer) => void;
  /** The host is up; seconds since QEMU was started. */
  readonly up: (seconds: number) => void;
}

export interface HostLimits {
  /** For the whole of it, from the start of QEMU. */
  readonly timeoutSeconds: number;
  /** Ends it from without. */
  readonly signal: AbortSignal;
}

/** How a host ended, with the times in seconds. */
export interface HostEnd {
  readonly how: 'exited' | 'timeout' | 'interrupted' | 'died';
  /** The command's exit code, if it came to that. */
  readonly exitCode: number | undefined;
  readonly upSeconds: number | undefined;
  readonly commandSeconds: number | undefined;
  /** From the start of QEMU to its end. */
  readonly hostSeconds: number;
  /** The last lines of the host's console and what QEMU said. */
  readonly tail: string;
}

const TAIL_LINES = 60;
/** A host that said its last word has this long to switch itself off. */
const POWER_OFF_MS = 10_000;

interface Listener {
  readonly server: Server;
  /** Resolves when all that was sent has been read. */
  readonly drained: () => Promise<unknown>;
}

async function listen(path: string, connected: (socket: Socket) => void): Promise<Listener> {
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    // QEMU may be killed at any time; that is no error of this socket's.
    socket.on('error', () => {});
    closed.push(new Promise((resolve) => socket.once('close', resolve)));
    connected(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  return { server, drained: () => Promise.all(closed) };
}

/** Boots the host, runs its command, and returns when QEMU has ended, in whichever way. */
export async function runHost(
  host: QemuHost,
  outputs: HostOutputs,
  limits: HostLimits,
): Promise<HostEnd> {
  const { folder } = host;
  const messages = new HostMessages();
  const listeners = [
    await listen(socketPath(folder, 'control'), (socket) => messages.readFrom(socket)),
    await listen(socketPath(folder, 'stdout'), (socket) => socket.on('data', outputs.stdout)),
    await listen(socketPath(folder, 'stderr'), (socket) => socket.on('data', outputs.stderr)),
  ];
  const started = performance.now();
  const seconds = (atMs: number) => (atMs - started) / 1000;
  try {
    messages.onUp = () => outputs.up(seconds(performance.now()));
    const { killed, complaints } = await supervise(startQemu(host), messages, limits);
    for (const { drained } of listeners) await drained();
    const { upAtMs, exitAtMs, exitCode } = messages;
    const how = killed ?? (exitCode === undefined ? 'died' : 'exited');
    return {
      how,
      exitCode: how === 'exited' ? exitCode : undefined,
      upSeconds: upAtMs === undefined ? undefined : seconds(upAtMs),
      commandSeconds: upAtMs && exitAtMs ? (exitAtMs - upAtMs) / 1000 : undefined,
      hostSeconds: seconds(performance.now()),
      tail: lastLines(folder, complaints),
    };
  } finally {
    for (const { server } of listeners) server.close();
  }
}

/** Waits for QEMU's end, and brings it about where the limits say so. */
async function supervise(
  qemu: ChildProcess,
  messages: HostMessages,
  { timeoutSeconds, signal }: HostLimits,
): Promise<{ killed: 'timeout' | 'interrupted' | undefined; complaints: string }> {
  let killed: 'timeout' | 'interrupted' | undefined;
  let complaints = '';
  const kill = (why: typeof killed) => {
    killed = why;
    qemu.kill('SIGKILL');
  };
  const interrupt = () => kill('interrupted');
  let timer = setTimeout(() => kill('timeout'), timeoutSeconds * 1000);
  messages.onExit = () => {
    clearTimeout(timer);
    timer = setTimeout(() => kill(undefined), POWER_OFF_MS);
  };
  qemu.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  signal.addEventListener('abort', interrupt);
  if (signal.aborted) interrupt();
  try {
    await once(qemu, 'close');
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
  }
  return { killed, complaints };
}

/** What came over the control port, and when. */
class HostMessages {
  upAtMs: number | undefined;
  exitAtMs: number | undefined;
  exitCode: number | undefined;
  onUp: () => void = () => {};
  onExit: () => void = () => {};
  #rest = '';

  readFrom(socket: Socket): void {
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${this.#rest}${text}`.split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#handle(parseHostMessage(line));
    });
  }

  #handle(message: HostMessage | undefined): void {
    if (message?.kind === 'up') {
      this.upAtMs = performance.now();
      this.onUp();
    } else if (message?.kind === 'exit') {
      this.exitAtMs = performance.now();
      this.exitCode = message.exitCode;
      this.onExit();
    }
  }
}

function lastLines(folder: string, complaints: string): string {
  const path = consolePath(folder);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return `${text}${complaints}`
    .replaceAll('\r', '')
    .trimEnd()
    .split('\n')
    .slice(-TAIL_LINES)
    .join('\n');
}
