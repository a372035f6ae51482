/** The button that changes between light and dark; theme.js reads at the page's start what is stored here. */

import { useState } from "preact/hooks";
import { html } from "strand/parts/html.js";

const STORED = "strand.theme";

export function ThemeButton() {
  const [theme, setTheme] = useState(current);
  const other = theme === "dark" ? "light" : "dark";
  const change = () => {
    document.documentElement.dataset.theme = other;
    store(other);
    setTheme(other);
  };
  return html`<button type="button" onClick=${change} title=${`Use ${other} colours`}>
    <span aria-hidden="true">${theme === "dark" ? "☾" : "☀"}</span>
    <span class="spoken">Use ${other} colours</span>
  </button>`;
}

function current() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return document.documentElement.dataset.theme ?? system;
}

function store(theme) {
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
}
