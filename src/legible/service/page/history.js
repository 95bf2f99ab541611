// What was read in this session, in this page's memory alone: leaving the page forgets it.
"use strict";

const MOST_READINGS = 20;
let readings = [];

function enterHistory(reading, blob) {
  if (readings.some(({ reading: other }) => other.reading_id === reading.reading_id)) return;
  const dropped = readings.slice(MOST_READINGS - 1);
  for (const { address } of dropped) URL.revokeObjectURL(address);
  readings = [{ reading, blob, address: URL.createObjectURL(blob) }, ...readings.slice(0, MOST_READINGS - 1)];
  byId("history").hidden = readings.length < 2;
  byId("readings").replaceChildren(...readings.map(entry));
}

function entry({ reading, blob, address }) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  button.type = "button";
  button.className = "quiet entry";
  const image = button.appendChild(document.createElement("img"));
  Object.assign(image, { src: address, alt: "" });
  image.onerror = () => image.remove();
  button.append(`${reading.text || "(no text)"} `);
  button.appendChild(document.createElement("small")).textContent = `${percent(reading.confidence)} %`;
  button.addEventListener("click", () => {
    wipe();
    former = [];
    byId("undo").disabled = true;
    showPicture({ blob, name: "read before.png" });
    show(reading);
  });
  return item;
}
