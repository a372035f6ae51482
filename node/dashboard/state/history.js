/** The history's filters: in the address, in the request, and in words. Pure. */

import { OUTCOMES as LOOKS, TASKS } from "strand/state/words.js";

/** Rounds of one page. */
const PAGE_ROUNDS = 20;

/** Longest text that is searched for, and longest cursor, in characters; the node takes no more. */
export const SEARCH_CHARS_MAX = 200;
const CURSOR_CHARS_MAX = 96;

export const OUTCOMES = Object.keys(LOOKS);

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * @typedef {Object} Filters
 * @property {string} search
 * @property {string} task empty: all
 * @property {string} outcome empty: all
 * @property {string} since first day, as `2025-03-09`, in the reader's time zone; empty: the beginning
 * @property {string} until last day; empty: today
 * @property {boolean} gold whether rounds that the node asked by itself are listed as well
 * @property {string} after cursor of the page; empty: the first
 */

/** @type {Filters} */
export const NO_FILTERS = Object.freeze({
  search: "",
  task: "",
  outcome: "",
  since: "",
  until: "",
  gold: false,
  after: "",
});

/**
 * Return the filters that an address names; what is no filter is left aside.
 * @param {string} query the part of the hash behind its `?`
 * @returns {Filters}
 */
export function filtersOf(query) {
  const given = new URLSearchParams(query);
  const text = (name) => given.get(name) ?? "";
  const day = (name) => (dayStart(text(name)) === null ? "" : text(name));
  return {
    search: text("search").slice(0, SEARCH_CHARS_MAX),
    task: Object.hasOwn(TASKS, text("task")) ? text("task") : "",
    outcome: OUTCOMES.includes(text("outcome")) ? text("outcome") : "",
    since: day("since"),
    until: day("until"),
    gold: text("gold") === "1",
    after: text("after").slice(0, CURSOR_CHARS_MAX),
  };
}

/**
 * Return the address of a page of the history.
 * @param {Filters} filters
 * @returns {string}
 */
export function hrefOf(filters) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value) given.set(name, value === true ? "1" : value);
  return `#/rounds${given.size ? `?${given}` : ""}`;
}

/**
 * Return the path of the request for a page.
 * @param {Filters} filters
 * @returns {string}
 */
export function pathOf({ search, task, outcome, since, until, gold, after }) {
  const given = new URLSearchParams({ limit: PAGE_ROUNDS });
  if (search.trim()) given.set("search", search.trim());
  if (task) given.set("task", task);
  if (outcome) given.set("outcome", outcome);
  if (since) given.set("since_ms", Math.max(0, dayStart(since)));
  if (until) given.set("until_ms", Math.max(0, dayStart(until, 1) - 1));
  if (gold) given.set("gold", 1);
  if (after) given.set("after", after);
  return `/api/rounds?${given}`;
}

/**
 * Return the beginning of an answer for a list: without the marks around its code, which say nothing in one line.
 * @param {string} answer
 * @returns {string}
 */
export function withoutFences(answer) {
  return answer.replace(/(?:`{3,}|~{3,})\w*/g, " ");
}

/**
 * Return whether anything but the page narrows the list.
 * @param {Filters} filters
 * @returns {boolean}
 */
export function isNarrowed({ search, task, outcome, since, until }) {
  return Boolean(search.trim() || task || outcome || since || until);
}

/** The first moment of a day, or of one `later` by so many days, ms since the Unix epoch; null for what is no date. */
function dayStart(date, later = 0) {
  if (!DATE.test(date)) return null;
  const [year, month, day] = date.split("-").map(Number);
  const found = new Date(year, month - 1, day);
  if (year < 1970 || found.getMonth() !== month - 1 || found.getDate() !== day) return null;
  // By its parts, because a day may have 23 or 25 hours.
  return new Date(year, month - 1, day + later).getTime();
}
