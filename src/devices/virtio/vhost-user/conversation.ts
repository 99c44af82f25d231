import type { Channel } from '../../../hal/channel.js';
import type { HalOf } from '../../../hal/contract/define.js';
import { HalError } from '../../../hal/contract/errors.js';
import type { AnswerDeadline } from './answer-deadline.js';
import { decodeReply, encodeRequest } from './codec.js';
import type { Reply, Request } from './messages.js';
import type { RequestKind } from './protocol.js';

interface Expected {
  readonly to: RequestKind;
  /** The request has no reply of its own: what comes is an acknowledgement. */
  readonly acknowledges: boolean;
  readonly then: (reply: Reply) => void;
}

/** Requests and the replies to them, which come later and in the same order. */
export class Conversation {
  readonly #channel: HalOf<typeof Channel>;
  readonly #transport: number;
  readonly #deadline: AnswerDeadline;
  readonly #onBroken: (reason: string) => void;
  readonly #expected: Expected[] = [];
  #isOver = false;

  /** @param onBroken called when the other side cannot be talked to, or answers what nobody asked. */
  constructor(
    channel: HalOf<typeof Channel>,
    transport: number,
    deadline: AnswerDeadline,
    onBroken: (reason: string) => void,
  ) {
    this.#channel = channel;
    this.#transport = transport;
    this.#deadline = deadline;
    this.#onBroken = onBroken;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What has been asked longest and is not answered. */
  get oldest(): RequestKind | undefined {
    return this.#expected[0]?.to;
  }

  /** Nothing is sent or taken any more. */
  end(): void {
    this.#isOver = true;
    this.#deadline.close();
  }

  /** Sends a request that nothing answers. */
  say(request: Request): void {
    this.#send(request, false, []);
  }

  /** Sends a request that has a reply of its own. */
  ask(request: Request, then: (reply: Reply) => void): void {
    this.#expect(request, false, [], then);
  }

  /** Sends a request that is only acknowledged. */
  tell(request: Request, attach: readonly number[], then: (succeeded: boolean) => void): void {
    this.#expect(request, true, attach, (reply) =>
      then(reply.kind === 'number' && reply.features.low === 0 && reply.features.high === 0),
    );
  }

  /** Takes one message of the transport channel. */
  take(data: Uint8Array, attached: readonly number[]): void {
    if (this.#isOver) return;
    const expected = this.#expected.shift();
    if (expected === undefined || attached.length > 0) {
      this.#onBroken('the device sent a message that nothing asked for');
      return;
    }
    this.#deadline.heard();
    const decoded = decodeReply(expected.to, expected.acknowledges, data);
    if (decoded.ok) expected.then(decoded.message);
    else this.#onBroken(`the reply to ${expected.to} is malformed (${decoded.refusal})`);
    if (this.#expected.length === 0) this.#deadline.rest();
  }

  #expect(
    request: Request,
    acknowledges: boolean,
    attach: readonly number[],
    then: (reply: Reply) => void,
  ): void {
    // Before it is sent: a simulated device may answer within the call.
    this.#expected.push({ to: request.kind, acknowledges, then });
    this.#deadline.expect();
    this.#send(request, acknowledges, attach);
  }

  #send(request: Request, acknowledges: boolean, attach: readonly number[]): void {
    if (this.#isOver) return;
    const data = encodeRequest(request, acknowledges);
    try {
      this.#channel.send({ channel: this.#transport, data, attach: [...attach] });
    } catch (error) {
      if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
      this.#onBroken(`${request.kind} could not be sent: ${error.message}`);
    }
  }
}
