"use strict";
// Sends the form in the background and follows the job. Without this script the form leads to the job's own page.
const form = document.getElementById("add-job");
const byId = (id) => document.getElementById(id);
const FIRST_WAIT = 100;
const LONGEST_WAIT = 2000;

async function ask(address, options) {
  const answer = await fetch(address, options);
  const envelope = await answer.json();
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
  byId("job-result").href = `data/result/${job.id}`;
  byId("job-page").href = `Job/${job.id}`;
  for (let wait = FIRST_WAIT; job.status !== "Complete"; wait = Math.min(wait * 1.5, LONGEST_WAIT)) {
    show(job.status === "InProgress" ? "The model is at work …" : "Waiting for its turn …");
    await new Promise((resolve) => setTimeout(resolve, wait));
    job = await ask(`data/status/${job.id}`);
  }
  show("Complete");
  byId("job-links").hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  byId("job-links").hidden = true;
  byId("job-id").textContent = "";
  show("Sending the file …");
  byId("progress").scrollIntoView({ block: "nearest" });
  try {
    await follow(await ask("data/add-job", { method: "POST", body: new FormData(form) }));
  } catch (error) {
    show("Not done", error.message);
  } finally {
    button.disabled = false;
  }
});
