/** Starts the dashboard of a node. */

import { render } from "preact";
import { App } from "strand/app.js";
import { html } from "strand/parts/html.js";

render(html`<${App} />`, document.getElementById("app"));
