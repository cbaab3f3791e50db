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
  goOn(place);
}

const LOOK_AGAIN_MS = 2000;

// What is still awaited is looked at again; once it has come, results and cards are asked for afresh.
function goOn(place) {
  const awaited = place.querySelector("[data-again]");
  if (awaited) setTimeout(() => { if (awaited.isConnected) awaited.click(); }, LOOK_AGAIN_MS);
  if (place.querySelector("[data-news]")) {
    document.querySelector("#reload").click();
    send(ask, null);
  }
}

async function show(answer) {
  try {
    const response = await answer;
    if (!response.ok) throw new Error(`the EHR answered ${response.status}`);
    const fresh = document.createElement("template");
    fresh.innerHTML = await response.text();
    return (place) => {
      const still = place.querySelector("[data-again]") && place.textContent === fresh.content.textContent;
      if (!still) place.replaceChildren(fresh.content);  // what is still so is not read out again
    };
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
