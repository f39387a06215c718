"use strict";
// Sends the form in the background and follows the job. Without this script the form leads to the job's own page.
const form = document.getElementById("add-job");
const byId = (id) => document.getElementById(id);
const WAIT = 2; // s, that the server holds an answer back until the job is over

async function ask(address, options) {
  const answer = await fetch(address, options);
  const envelope = await answer.json().catch(() => ({}));
  if (!answer.ok || envelope.isError) throw new Error(envelope.errorMessage || `HTTP ${answer.status}`);
  return envelope.data;
}

function show(status, error) {
  byId("progress").hidden = false;
  byId("job-status").textContent = status;
  byId("job-error").hidden = !error;
  byId("job-error").textContent = error || "";
}

async function follow(job) {
  byId("job-id").textContent = job.id;
  byId("job-line").hidden = false;
  for (const link of document.querySelectorAll("#progress [data-path]")) link.href = link.dataset.path + job.id;
  byId("job-more").hidden = false;
  while (job.status !== "Complete") {
    show(job.status === "InProgress" ? "The model is at work …" : "Waiting for its turn …");
    job = await ask(`data/status/${job.id}?wait=${WAIT}`);
  }
  show("Complete");
  byId("job-links").hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  // Not `disabled`: that would take the keyboard's place away.
  button.setAttribute("aria-disabled", "true");
  byId("job-links").hidden = true;
  byId("job-more").hidden = true;
  byId("job-id").textContent = "";
  byId("job-line").hidden = true;
  show("Sending the file …");
  byId("progress").scrollIntoView({ block: "nearest" });
  try {
    await follow(await ask("data/add-job", { method: "POST", body: new FormData(form) }));
  } catch (error) {
    show("Not done", error.message);
  } finally {
    button.removeAttribute("aria-disabled");
    byId("progress").scrollIntoView({ block: "nearest" });
  }
});
