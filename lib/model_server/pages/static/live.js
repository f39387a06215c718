"use strict";
// While a job on this page is unfinished, what has [data-live] is kept as the server would show it now. Without this
// script the page reloads by itself instead.
const WAIT = 2; // s, that the server holds an answer back until the job is over
const PAUSE = 1000; // ms, at least between two looks
const AFTER_TROUBLE = 5000;
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  // Who was on a link with the keyboard stays there.
  const place = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  old.replaceChildren(...fresh.childNodes);
  if (place) [...old.querySelectorAll("a")].find((link) => link.getAttribute("href") === place)?.focus({ preventScroll: true });
}

async function look() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (answer.status === 404) return location.reload(); // deleted meanwhile: the server says so
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh) renew(old, fresh);
  }
}

async function follow() {
  for (;;) {
    // The oldest is the last in the list, and the next to end.
    const job = [...document.querySelectorAll("[data-follow]")].pop();
    if (!job) return;
    const started = Date.now();
    try {
      await fetch(`${job.dataset.follow}?wait=${WAIT}`, { cache: "no-store" });
      await look();
      await sleep(Math.max(0, PAUSE - (Date.now() - started)));
    } catch {
      await sleep(AFTER_TROUBLE);
    }
  }
}

follow();
