// Asks for decision support when the chart opens, and puts answers in their place without loading the page anew.
"use strict";

const asPart = { "X-Requested-With": "fetch" };

const turns = new Map();

// Of two answers for one place the one that was asked for last stays, whichever comes first.
async function put(target, answer) {
  const place = document.querySelector(target);
  const turn = (turns.get(target) ?? 0) + 1;
  turns.set(target, turn);
  place.setAttribute("aria-busy", "true");
  const shown = await show(answer);
  if (turns.get(target) !== turn) return;
  shown(place);
  place.removeAttribute("aria-busy");
}

async function show(answer) {
  try {
    const response = await answer;
    if (!response.ok) throw new Error(`the EHR answered ${response.status}`);
    const text = await response.text();
    return (place) => { place.innerHTML = text; };
  } catch (error) {
    const line = document.createElement("p");
    line.className = "problem";
    line.setAttribute("role", "alert");
    line.textContent = `Problem: ${error.message}`;
    return (place) => { place.append(line); };
  }
}

async function send(form, submitter) {
  await put(form.dataset.into, fetch(form.action, { method: "POST", body: new FormData(form, submitter), headers: asPart }));
  if ("reloads" in form.dataset) document.querySelector("#reload").click();
}

function showFrame() {
  const frame = document.querySelector("#frame");
  frame.hidden = false;
  frame.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.into) return;
  event.preventDefault();
  send(event.target, event.submitter);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  if (link.target === "app") showFrame();
  if (!link.dataset.into) return;
  event.preventDefault();
  put(link.dataset.into, fetch(link.href, { headers: asPart }));
});

document.querySelector("#frame").hidden = true;
const ask = document.querySelector("#ask");
if ("atOnce" in ask.dataset) {
  document.querySelector("#cards").textContent = "Asking…";
  send(ask, null);
}
