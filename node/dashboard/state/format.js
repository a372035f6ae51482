/** Numbers, times and keys as a reader wants them. Pure: the time of day comes in. */

/**
 * Return the first 8 characters of a key or id, by which people tell them apart.
 * @param {string} key hexadecimal
 * @returns {string}
 */
export function shortKey(key) {
  return key.slice(0, 8);
}

/**
 * Return a probability in percent; never 0 or 100 unless it is exactly that.
 * @param {number | null | undefined} share from 0 to 1
 * @returns {string} such as `87 %`; `–` for none
 */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  if (share > 0 && share < 0.01) return "< 1 %";
  if (share < 1 && share > 0.99) return "> 99 %";
  return `${Math.round(share * 100)} %`;
}

/**
 * Return a duration in the unit that suits it.
 * @param {number} ms
 * @returns {string} such as `340 ms`, `2.4 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`
 */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * Return how long ago a time was.
 * @param {number} ms since the Unix epoch
 * @param {number} nowMs
 * @returns {string} such as `just now`, `2 min ago`, `3 h ago`, `5 d ago`; a date if it is older than a month
 */
export function ago(ms, nowMs) {
  const minutes = Math.floor((nowMs - ms) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ago`;
  if (minutes < 43_200) return `${Math.floor(minutes / 1440)} d ago`;
  return moment(ms).slice(0, 10);
}

/**
 * Return a time to the second, in the reader's time zone.
 * @param {number} ms since the Unix epoch
 * @returns {string} such as `2025-03-09 14:05:59`
 */
export function moment(ms) {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return "–";
  const two = (number) => String(number).padStart(2, "0");
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/**
 * Return when something was told, as short as it is plain: the day only if it is another than today.
 * @param {number} ms since the Unix epoch
 * @param {number} now ms since the Unix epoch
 * @returns {string} such as `14:05:09`, `2025-03-09 14:05:09`
 */
export function toldAt(ms, now) {
  const [day, time] = moment(ms).split(" ");
  return day === moment(now).split(" ")[0] ? time : moment(ms);
}

/**
 * Return a size with its unit.
 * @param {number} bytes
 * @returns {string} such as `812 B`, `14.2 KiB`, `3.1 MiB`
 */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let rank = 0;
  while (bytes >= 1024 && rank < units.length - 1) {
    bytes /= 1024;
    rank += 1;
  }
  return `${rank ? bytes.toFixed(1) : bytes} ${units[rank]}`;
}

/**
 * Return a count with its noun.
 * @param {number} number
 * @param {string} one the noun for one
 * @param {string} [many] for all others; else an `s` is added
 * @returns {string} such as `1 answer`, `3 answers`
 */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}
