// The model card, from the Markdown that the service answers: headings, paragraphs, lists, tables and code. Text stays text.
"use strict";

const model = new URLSearchParams(location.search).get("model");
const address = model ? `/card?model=${encodeURIComponent(model)}` : "/card";
const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

function inline(parent, text) {
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    parent.append(text.slice(end, found.index));
    const [, code, strong, label, target] = found;
    const name = code ? "code" : strong ? "strong" : /^(https?:|#|\/)/.test(target) ? "a" : "span";
    const made = parent.appendChild(document.createElement(name));
    made.textContent = code ?? strong ?? label;
    if (name === "a") made.href = target;
    end = found.index + found[0].length;
  }
  parent.append(text.slice(end));
  return parent;
}

const cellsOf = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(lines) {
  const made = document.createElement("table");
  lines.filter((_, number) => number !== 1).forEach((line, number) => {
    const row = made.insertRow();
    for (const cell of cellsOf(line)) inline(row.appendChild(document.createElement(number ? "td" : "th")), cell);
  });
  const wide = document.createElement("div");
  wide.className = "wide";
  wide.append(made);
  return wide;
}

function list(lines) {
  const made = document.createElement("ul");
  for (const line of lines) {
    if (line.startsWith("- ")) inline(made.appendChild(document.createElement("li")), line.slice(2));
    else inline(made.lastElementChild, ` ${line.trim()}`);
  }
  return made;
}

function block(lines) {
  const heading = /^(#{1,4}) (.*)/.exec(lines[0]);
  if (heading) return inline(document.createElement(`h${heading[1].length}`), heading[2]);
  if (lines[0].startsWith("|")) return table(lines);
  if (lines[0].startsWith("- ")) return list(lines);
  return inline(document.createElement("p"), lines.join(" "));
}

// Split Markdown into blocks: at empty lines, after headings, and where a table begins or ends; fences stay whole.
function* blocks(text) {
  let lines = [], fence = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      if (fence) yield Object.assign(document.createElement("pre"), { textContent: fence.join("\n") });
      else if (lines.length) yield block(lines);
      [lines, fence] = [[], fence ? null : []];
    } else if (fence) {
      fence.push(line);
    } else {
      const ends = lines.length && (!line.trim() || line.startsWith("#") || line.startsWith("|") !== lines[0].startsWith("|"));
      if (ends) {
        yield block(lines);
        lines = [];
      }
      if (line.trim()) lines.push(line);
      if (/^#{1,4} /.test(line)) {
        yield block(lines);
        lines = [];
      }
    }
  }
  if (lines.length) yield block(lines);
}

async function show() {
  document.getElementById("plain").href = address;
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    document.getElementById("card").append(...blocks(await answer.text()));
  } catch (error) {
    document.getElementById("error").hidden = false;
    document.getElementById("error").textContent = `The card could not be read: ${error.message}`;
  }
}

show();
