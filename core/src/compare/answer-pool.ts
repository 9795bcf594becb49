/** The memory in which answers and requests are followed: taken again and again, and never more of it than the limit. */
import { Answer } from './answer.js';
import { REQUEST_BYTES_MAX } from './exchange.js';

export class AnswerPool {
  readonly #answersMax: number;
  readonly #answerBytesMax: number;
  readonly #answers: Answer[] = [];
  readonly #requests: Uint8Array[] = [];
  #inUse = 0;

  constructor(answersMax: number, answerBytesMax: number) {
    this.#answersMax = answersMax;
    this.#answerBytesMax = answerBytesMax;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Whether there is room for so many more answers. */
  has(count: number): boolean {
    return this.#inUse + count <= this.#answersMax;
  }

  takeAnswer(): Answer {
    this.#inUse += 1;
    const answer = this.#answers.pop() ?? new Answer(this.#answerBytesMax);
    answer.clear();
    return answer;
  }

  giveAnswerBack(answer: Answer): void {
    this.#inUse -= 1;
    this.#answers.push(answer);
  }

  takeRequest(): Uint8Array {
    return this.#requests.pop() ?? new Uint8Array(REQUEST_BYTES_MAX);
  }

  giveRequestBack(request: Uint8Array): void {
    this.#requests.push(request);
  }
}
