// Asks for decision support when the chart opens, and puts answers in their place without loading the page anew.
"use strict";

const asPart = { "X-Requested-With": "fetch" };

async function put(target, answer) {
  const place = document.querySelector(target);
  place.setAttribute("aria-busy", "true");
  try {
    const response = await answer;
    if (!response.ok) throw new Error(`the EHR answered ${response.status}`);
    place.innerHTML = await response.text();
  } catch (error) {
    const line = document.createElement("p");
    line.className = "problem";
    line.setAttribute("role", "alert");
    line.textContent = `Problem: ${error.message}`;
    place.append(line);
  } finally {
    place.removeAttribute("aria-busy");
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
