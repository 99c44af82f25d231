import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly QMP?: unknown;
}

/** A client of QEMU's machine protocol (docs/interop/qmp-spec): one command at a time, events are passed over. */
export class Qmp {
  readonly #socket: Socket;
  #rest = '';
  #answer: ((reply: Reply) => void) | undefined;
  #failed: ((why: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error('QEMU closed its control socket')));
  }

  /** Waits until QEMU listens. */
  static async connect(path: string): Promise<Qmp> {
    while (!existsSync(path)) await sleep(20);
    const qmp = new Qmp(connect(path));
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  execute(command: string, args: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#answer = (reply) => {
        if (reply.error === undefined) resolve(reply.return);
        else reject(new Error(`${command}: ${reply.error.desc}`));
      };
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      if (reply.event === undefined && reply.QMP === undefined) this.#answer?.(reply);
    }
  }
}
