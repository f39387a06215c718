"use strict";
// Sends each chosen file in the background, shows how far that is, and then the job as its own page shows it. Without
// this script the form sends one file and leads to the page of its job.
const form = document.getElementById("add-job");
const input = document.getElementById("file");
const list = document.getElementById("sent");
const WAIT = 2; // s, that the server holds an answer back until the job is over
const PAUSE = 1000; // ms, at least between two looks
const AFTER_TROUBLE = 5000;
const ROWS = 10; // of a result, here; its own page has all
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function send(file, progress) {
  const body = new FormData(form);
  body.set("File", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much of a body is sent
    request.open("POST", "data/add-job");
    request.responseType = "json";
    request.upload.onprogress = (event) => { if (event.lengthComputable) progress(event.loaded, event.total); };
    request.onerror = () => reject(new Error("The server cannot be reached."));
    request.onload = () => {
      const envelope = request.response || {};
      if (request.status === 200 && !envelope.isError) resolve(envelope.data.id);
      else reject(new Error(envelope.errorMessage || `HTTP ${request.status}`));
    };
    request.send(body);
  });
}

// Says "45 %, 3.2 MB/s, 12 s left".
function pace(sent, size, milliseconds) {
  const percent = `${Math.floor((sent / size) * 100)} %`;
  if (!sent) return percent;
  const speed = sent / Math.max(milliseconds, 1); // kB a second
  const left = Math.ceil((size - sent) / speed / 1000);
  const time = left < 60 ? `${left} s` : `${Math.floor(left / 60)} min ${left % 60} s`;
  return `${percent}, ${(speed / 1000).toFixed(1)} MB/s, ${time} left`;
}

// Returns whether the job is over.
async function look(article, address, isAlone) {
  const answer = await fetch(`${address}?size=${ROWS}`, { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const job = page.getElementById("job");
  if (!job) throw new Error(page.querySelector("[role=alert]")?.textContent || `HTTP ${answer.status}`);
  const name = page.querySelector("h1").textContent;
  const parts = [job];
  const result = page.getElementById("result");
  if (isAlone && !result.hidden) parts.push(result);
  for (const part of parts) {
    for (const element of part.querySelectorAll(".axes, .pager")) element.remove(); // they are of the job's own page
    for (const element of [part, ...part.querySelectorAll("[id]")]) element.removeAttribute("id");
    for (const kind of ["href", "src"]) {
      for (const element of part.querySelectorAll(`[${kind}]`)) {
        element.setAttribute(kind, new URL(element.getAttribute(kind), address).href);
      }
    }
  }
  const heading = document.createElement("h2");
  const link = document.createElement("a");
  link.href = address;
  link.textContent = name;
  heading.append(link);
  job.prepend(heading);
  const isSame = article.children.length === parts.length && parts.every((part, at) => part.isEqualNode(article.children[at]));
  if (!isSame) article.replaceChildren(...parts);
  return !("follow" in job.dataset);
}

async function follow(article, id, isAlone) {
  const address = new URL(`Job/${id}`, document.baseURI).href;
  article.dataset.job = id;
  for (;;) {
    const started = Date.now();
    try {
      if (await look(article, address, isAlone)) return;
      await fetch(`data/status/${id}?wait=${WAIT}`, { cache: "no-store" });
      await sleep(Math.min(PAUSE, Math.max(0, PAUSE - (Date.now() - started))));
    } catch (error) {
      if (error instanceof TypeError) await sleep(AFTER_TROUBLE); // the network
      else return refuse(article, error.message);
    }
  }
}

function refuse(article, text) {
  const alert = article.querySelector("[role=alert]");
  if (!alert) return;
  article.querySelector("[role=status]").textContent = "Not done";
  article.querySelector("progress").hidden = true;
  alert.textContent = text;
  alert.hidden = false;
}

async function submit() {
  const files = [...input.files];
  list.replaceChildren();
  list.hidden = false;
  const articles = files.map((file) => {
    const article = document.getElementById("upload").content.firstElementChild.cloneNode(true);
    article.querySelector(".file").textContent = file.name;
    article.querySelector("[role=status]").textContent = "Waiting to be sent";
    list.append(article);
    return article;
  });
  list.scrollIntoView({ block: "nearest" });
  const jobs = [];
  for (const [at, article] of articles.entries()) {
    const status = article.querySelector("[role=status]");
    const bar = article.querySelector("progress");
    status.textContent = "Sending the file …";
    try {
      const began = Date.now();
      const id = await send(files[at], (sent, size) => {
        bar.value = sent / size;
        const words = pace(sent, size, Date.now() - began);
        status.textContent = sent < size ? `Sending the file: ${words}` : "Sent, being checked …";
      });
      const isAlone = files.length === 1;
      const followed = follow(article, id, isAlone);
      jobs.push(isAlone ? followed.then(() => article.scrollIntoView({ block: "start" })) : followed);
    } catch (error) {
      refuse(article, error.message);
    }
  }
  await Promise.all(jobs);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  // Not `disabled`: that would take the keyboard's place away.
  button.setAttribute("aria-disabled", "true");
  try {
    await submit();
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

input.multiple = true; // a form without this script sends one
document.getElementById("drop").hidden = false;
for (const kind of ["dragenter", "dragover"]) {
  form.addEventListener(kind, (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) form.addEventListener(kind, () => form.classList.remove("over"));
form.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
});

const sample = document.getElementById("sample");
const run = document.getElementById("run-sample");
if (sample && run) {
  run.hidden = false;
  run.addEventListener("click", async () => {
    const answer = await fetch(sample.href);
    const chosen = new DataTransfer();
    chosen.items.add(new File([await answer.blob()], sample.dataset.name));
    input.files = chosen.files;
    form.requestSubmit();
  });
}
