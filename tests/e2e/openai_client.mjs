// OpenAI's own JavaScript client asks a node: `node openai_client.mjs PACKAGE URL MODEL`. Prints one JSON object.

import { argv, stdout } from "node:process";
import { pathToFileURL } from "node:url";

const [, , folder, url, model] = argv;
const { default: OpenAI } = await import(pathToFileURL(`${folder}/index.mjs`).href);
const client = new OpenAI({ apiKey: "any", baseURL: `${url}/v1` });
const messages = [{ role: "user", content: "Sum a slice." }];

const whole = await client.chat.completions.create({ model, messages });

let text = "";
let last;
for await (const chunk of await client.chat.completions.create({
  model,
  messages,
  stream: true,
  stream_options: { include_usage: true },
})) {
  text += chunk.choices[0]?.delta?.content ?? "";
  last = chunk;
}

const types = [];
for await (const event of await client.responses.create({ model, input: "Sum a slice.", stream: true })) {
  types.push(event.type);
}

let refused;
try {
  const tools = [{ type: "function", function: { name: "look", parameters: {} } }];
  await client.chat.completions.create({ model, messages, tools });
} catch (error) {
  refused = { status: error.status, code: error.code, param: error.param };
}

const models = [];
for await (const each of client.models.list()) {
  models.push(each.id);
}
stdout.write(JSON.stringify({ models, whole, text, last, types, refused }));
