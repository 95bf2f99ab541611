// The calls of /openapi.json, each as a form that can be sent, with the same request for a command line.
"use strict";

const at = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function resolve(description, schema = {}) {
  const name = schema.$ref?.split("/").pop();
  return name ? description.components.schemas[name] : schema;
}

// Return the fields of a call: where each goes (query, path, form or body), its name, its kind and what it is.
function fieldsOf(description, operation) {
  const parameters = (operation.parameters ?? []).filter((one) => ["query", "path"].includes(one.in));
  const fields = parameters.map((one) => ({ place: one.in, name: one.name, kind: "text", about: one.description ?? one.schema?.description, example: one.example ?? one.schema?.default }));
  const content = operation.requestBody?.content ?? {};
  const form = resolve(description, content["multipart/form-data"]?.schema);
  for (const [name, given] of Object.entries(form.properties ?? {})) {
    const files = given.format === "binary" || given.contentMediaType || given.items;
    fields.push({ place: "form", name, kind: files ? "file" : "text", multiple: Boolean(given.items), about: given.description });
  }
  const body = resolve(description, content["application/json"]?.schema);
  if (content["application/json"]) fields.push({ place: "body", name: "body", kind: "json", about: body.description, example: exampleOf(body) });
  return fields;
}

function exampleOf(schema) {
  const values = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, one.example ?? (one.type === "string" ? "" : 0)]);
  return JSON.stringify(schema.example ?? Object.fromEntries(values));
}

function inputOf(field, id) {
  if (field.kind === "json") return element("textarea", { id, name: field.name, value: field.example, rows: 3 });
  const input = element("input", { id, name: field.name, type: field.kind, placeholder: field.example ?? "" });
  if (field.kind === "file") input.multiple = field.multiple;
  return input;
}

function call(description, path, method, operation, number) {
  const fields = fieldsOf(description, operation);
  const form = element("form"), command = element("pre"), answer = element("pre", { hidden: true });
  answer.setAttribute("role", "status");
  fields.forEach((field, place) => {
    const id = `field-${number}-${place}`;
    form.append(element("label", { htmlFor: id, textContent: field.name }), inputOf(field, id));
    if (field.about) form.append(element("small", { textContent: field.about }));
  });
  form.append(element("button", { type: "submit", textContent: "Send" }));
  const show = () => { command.textContent = curlOf(requestOf(path, method, fields, form)); };
  form.addEventListener("input", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show();
    await send(requestOf(path, method, fields, form), answer);
  });
  show();
  const title = element("summary", {}, element("span", { className: "method", textContent: method.toUpperCase() }), element("code", { textContent: path }), ` ${operation.summary ?? ""}`);
  return element("details", { className: "call", id: `${method}${path.replaceAll("/", "-")}` }, title, element("p", { textContent: operation.description ?? "" }), form, command, answer);
}

// Gather what a form asks for. Empty fields are left out.
function requestOf(path, method, fields, form) {
  const request = { method: method.toUpperCase(), address: path, parts: [], body: null };
  const query = new URLSearchParams();
  for (const field of fields) {
    const input = form.elements[field.name];
    if (field.kind === "file") request.parts.push(...[...input.files].map((file) => [field.name, file]));
    else if (!input.value) continue;
    else if (field.place === "query") query.set(field.name, input.value);
    else if (field.place === "path") request.address = request.address.replace(`{${field.name}}`, encodeURIComponent(input.value));
    else if (field.place === "form") request.parts.push([field.name, input.value]);
    else request.body = input.value;
  }
  request.address = location.origin + request.address + (query.size ? `?${query}` : "");
  request.takesFiles = fields.some(({ kind }) => kind === "file");
  request.file = fields.find(({ kind }) => kind === "file")?.name;
  return request;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf({ method, address, parts, body, takesFiles, file }) {
  const words = ["curl"];
  if (at("key").value) words.push("-H", quoted("Authorization: Bearer KEY"));
  const shown = parts.length || !takesFiles ? parts : [[file, { name: "word.png" }]];
  for (const [name, value] of shown) words.push("-F", typeof value === "string" ? quoted(`${name}=${value}`) : quoted(`${name}=@${value.name}`).replace(/^'([\w.=@-]+)'$/, "$1"));
  if (body) words.push("-H", quoted("Content-Type: application/json"), "-d", quoted(body));
  if (method !== "GET" && !takesFiles && !body) words.push("-X", method);
  return [...words, /^[\w:/.-]+$/.test(address) ? address : quoted(address)].join(" ");
}

async function send({ method, address, parts, body, takesFiles }, answer) {
  const headers = at("key").value ? { Authorization: `Bearer ${at("key").value.trim()}` } : {};
  let content;
  if (takesFiles) {
    content = new FormData();
    for (const [name, value] of parts) content.append(name, value);
  } else if (body !== null) {
    headers["Content-Type"] = "application/json";
    content = body;
  }
  answer.hidden = false;
  answer.textContent = "…";
  const started = performance.now();
  try {
    const response = await fetch(address, { method, headers, body: content });
    const said = await textOf(response);
    answer.textContent = `${response.status} ${response.statusText}, ${Math.round(performance.now() - started)} ms\n\n${said}`;
  } catch (error) {
    answer.textContent = `No answer: ${error.message}`;
  }
}

async function textOf(response) {
  const kind = response.headers.get("Content-Type") ?? "";
  if (kind.startsWith("application/pdf")) return `${(await response.blob()).size} bytes of PDF`;
  const text = await response.text();
  return kind.startsWith("application/json") ? JSON.stringify(JSON.parse(text), null, 1) : text;
}

async function list() {
  try {
    const description = await (await fetch("/openapi.json")).json();
    const methods = Object.entries(description.paths).flatMap(([path, own]) => Object.entries(own).map(([method, operation]) => [path, method, operation]));
    at("calls").replaceChildren(...methods.map(([path, method, operation], number) => call(description, path, method, operation, number)));
    at("calls").firstElementChild.open = true;
  } catch {
    at("error").hidden = false;
    at("error").textContent = "The list of calls could not be read. Load the page again in a moment.";
  }
}

list();
