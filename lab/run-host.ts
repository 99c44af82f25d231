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
  /** The last lines of the host's console and what QEMU said. */
  readonly tail: string;
}

const TAIL_LINES = 30;
/** A host that said its last word has this long to switch itself off. */
const POWER_OFF_MS = 10_000;

async function listen(path: string, connected: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    // QEMU may be killed at any time; that is no error of this socket's.
    socket.on('error', () => {});
    connected(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}

/** Boots the host, runs its command, and returns when QEMU has ended, in whichever way. */
export async function runHost(
  host: QemuHost,
  outputs: HostOutputs,
  { timeoutSeconds, signal }: HostLimits,
): Promise<HostEnd> {
  const { folder } = host;
  const messages = new HostMessages();
  const servers = [
    await listen(socketPath(folder, 'control'), (socket) => messages.readFrom(socket)),
    await listen(socketPath(folder, 'stdout'), (socket) => socket.on('data', outputs.stdout)),
    await listen(socketPath(folder, 'stderr'), (socket) => socket.on('data', outputs.stderr)),
  ];
  let how: HostEnd['how'] = 'died';
  let complaints = '';
  let timer: NodeJS.Timeout | undefined;
  const started = performance.now();
  const qemu = startQemu(host);
  const kill = (why: HostEnd['how']) => {
    if (qemu.exitCode !== null || qemu.signalCode !== null) return;
    how = why;
    qemu.kill('SIGKILL');
  };
  const interrupted = () => kill('interrupted');
  try {
    const ended = new Promise<void>((resolve, reject) => {
      qemu.on('error', reject);
      qemu.on('close', () => resolve());
    });
    qemu.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    timer = setTimeout(() => kill('timeout'), timeoutSeconds * 1000);
    signal.addEventListener('abort', interrupted);
    if (signal.aborted) interrupted();
    messages.onMessage = ({ kind }) => {
      if (kind === 'up') outputs.up((performance.now() - started) / 1000);
      else {
        clearTimeout(timer);
        timer = setTimeout(() => kill('exited'), POWER_OFF_MS);
      }
    };
    await ended;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupted);
    kill('died');
    for (const server of servers) server.close();
  }
  const { up, exit } = messages;
  if (exit !== undefined) how = 'exited';
  return {
    how,
    exitCode: exit?.message.kind === 'exit' ? exit.message.exitCode : undefined,
    upSeconds: up === undefined ? undefined : (up.atMs - started) / 1000,
    commandSeconds: up && exit ? (exit.atMs - up.atMs) / 1000 : undefined,
    tail: lastLines(folder, complaints),
  };
}

/** What came over the control port, with the time at which it did. */
class HostMessages {
  up: { message: HostMessage; atMs: number } | undefined;
  exit: { message: HostMessage; atMs: number } | undefined;
  onMessage: (message: HostMessage) => void = () => {};
  #rest = '';

  readFrom(socket: Socket): void {
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${this.#rest}${text}`.split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const message = parseHostMessage(line);
        if (message === undefined) continue;
        this[message.kind] = { message, atMs: performance.now() };
        this.onMessage(message);
      }
    });
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
