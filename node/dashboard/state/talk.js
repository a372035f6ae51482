/** The conversation of a page, as it goes on: it sends, follows, cancels, and finds again what a reload lost. */

import { signal } from "@preact/signals-core";
import { getJson, postJson } from "strand/state/api.js";
import { ask } from "strand/state/asking.js";
import { afterDetail, afterEvent, bodyOf, changed, DEFAULTS, withQuestion } from "strand/state/conversation.js";
import { keepConversation, keepDraft, restore } from "strand/state/kept.js";

/** Why nothing is known of a question whose stream ended without an event of its round. */
const LOST =
  "The page was left, or the connection broke, before the round began. If it began all the same, Rounds lists it.";

export class Talk {
  /** @param {Storage | null} storage where draft and conversation outlive a reload; null: nowhere */
  constructor(storage) {
    const { draft, settings, exchanges } = restore(storage);
    this.storage = storage;
    this.draft = signal(draft);
    this.settings = signal(settings);
    /** @type {import("@preact/signals-core").Signal<import("./conversation.js").Exchange[]>} */
    this.exchanges = signal(exchanges);
    this.leaving = new Map();
  }

  /** @param {string} draft */
  write(draft) {
    this.draft.value = draft;
    keepDraft(this.storage, draft, this.settings.value);
  }

  /** @param {Partial<typeof DEFAULTS>} settings */
  set(settings) {
    this.settings.value = { ...this.settings.value, ...settings };
    keepDraft(this.storage, this.draft.value, this.settings.value);
  }

  /** The question that is being answered; undefined if none is. */
  get open() {
    return this.exchanges.value.find(({ state }) => ["sending", "open", "lost"].includes(state));
  }

  /** Send the draft. Tests belong to one question; the other settings stay for the next. */
  async send() {
    const question = this.draft.value.trim();
    if (!question || this.open) return;
    this.exchanges.value = withQuestion(this.exchanges.value, question, this.settings.value);
    // A question that waits in the queue is not lost with the page.
    keepConversation(this.storage, this.exchanges.value);
    this.write("");
    this.set({ tests: "", show_tests: false });
    await this.#follow(this.exchanges.value.at(-1).number);
  }

  /**
   * Send a refused question again.
   * @param {number} number
   * @param {boolean} [anyway] whether its text may look like it holds a secret
   */
  async again(number, anyway = false) {
    if (this.open) return;
    this.#change(number, () => ({ state: "sending", refusal: null }));
    await this.#follow(number, anyway);
  }

  /**
   * Take a question that was refused back into the draft.
   * @param {number} number
   */
  takeBack(number) {
    const { question, settings } = this.#find(number);
    this.exchanges.value = this.exchanges.value.filter((each) => each.number !== number);
    keepConversation(this.storage, this.exchanges.value);
    this.set(settings);
    this.write(question);
  }

  /**
   * Cancel a question's round; one that waits in the queue leaves it.
   * @param {number} number
   * @returns {Promise<string>} why it goes on; empty if it does not
   */
  async cancel(number) {
    const { state, round } = this.#find(number);
    if (state === "sending") {
      this.leaving.get(number)?.abort();
      this.takeBack(number);
      return "";
    }
    const { data, error } = await postJson(`/api/rounds/${round.id}/cancel`, {});
    if (error) return error;
    return data.cancelled ? "" : "It is too late to cancel: the round is decided, or over.";
  }

  /**
   * Ask the node what became of a question whose stream is lost.
   * @param {number} number
   * @param {AbortSignal} [signal]
   * @returns {Promise<{data: Object | null, error: string}>} what the history has of its round, or why it has nothing
   */
  async recover(number, signal) {
    const { round } = this.#find(number);
    const gone = (error, status) => this.#change(number, () => ({ state: "gone", refusal: { error, status } }));
    if (!round.id) {
      gone(LOST, 0);
      return { data: null, error: "" };
    }
    const { data, error, status } = await getJson(`/api/rounds/${round.id}`, { signal });
    if (data) this.#change(number, (exchange) => afterDetail(exchange, data));
    else if (status === 404) gone("The node does not know the round any more.", status);
    return { data, error };
  }

  /** Begin a new conversation; an open round goes on by itself, and a question in the queue leaves it. */
  clear() {
    for (const each of this.leaving.values()) each.abort();
    this.exchanges.value = [];
    keepConversation(this.storage, []);
  }

  async #follow(number, anyway = false) {
    const leaving = new AbortController();
    this.leaving.set(number, leaving);
    const body = bodyOf(this.exchanges.value, this.#find(number), anyway);
    const onEvent = (event) => this.#change(number, (exchange) => afterEvent(exchange, event));
    const { error, status, retry_s } = await ask(body, onEvent, leaving.signal);
    this.leaving.delete(number);
    if (!error || leaving.signal.aborted) return;
    const refusal = { error, status, retry_s };
    this.#change(number, () => (status === 200 ? { state: "lost" } : { state: "refused", refusal }));
  }

  #find(number) {
    return this.exchanges.value.find((each) => each.number === number);
  }

  /** Change an exchange, if it is still there; store it when its state changes, for events come many a second. */
  #change(number, change) {
    const before = this.#find(number);
    if (!before) return;
    this.exchanges.value = changed(this.exchanges.value, number, change);
    const now = this.#find(number);
    const isNews = now.state !== before.state || now.round.decided !== before.round.decided;
    if (isNews) keepConversation(this.storage, this.exchanges.value);
  }
}
