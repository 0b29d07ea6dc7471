"use strict";
// The page's rows and details come from the server as escaped HTML; this script only puts them in their places.
const LIMITS = { messages: 300, patients: 80, mails: 120 };
const $ = (id) => document.getElementById(id);
const detail = $("detail"), content = $("content"), state = $("state"), drop = $("drop"), file = $("file");

function element(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  return holder.content.firstElementChild;
}

function prepend(listId, html) {
  const list = $(listId), row = element(html);
  if (row.dataset.key) {
    for (const old of list.children) if (old.dataset.key === row.dataset.key) { old.remove(); break; }
  }
  row.classList.add("new");
  const top = list.scrollTop, before = list.scrollHeight;
  list.prepend(row);
  while (list.children.length > LIMITS[listId]) list.lastElementChild.remove();
  if (top > 4) list.scrollTop = top + (list.scrollHeight - before);   // what is being read stays under the eye
}

function connect() {
  const live = new EventSource("/live");
  live.addEventListener("open", () => { state.textContent = ""; });
  live.addEventListener("error", () => { state.textContent = "Connexion perdue : la démonstration est arrêtée, ou redémarre."; });
  live.addEventListener("message", (event) => prepend("messages", event.data));
  live.addEventListener("patient", (event) => prepend("patients", event.data));
  live.addEventListener("mail", (event) => prepend("mails", event.data));
  live.addEventListener("reload", () => location.reload());
  live.addEventListener("clock", (event) => {
    const told = JSON.parse(event.data);
    $("clock").textContent = told.clock;
    for (const [name, count] of Object.entries(told.counts)) {
      document.querySelector(`[data-count="${name}"]`).textContent = count.toLocaleString("fr-FR");
    }
    for (const button of document.querySelectorAll("[data-speed]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === told.speed));
    }
  });
}

function show(html) {
  content.innerHTML = html;
  content.scrollTop = 0;
  if (!detail.open) detail.showModal();
  const first = content.querySelector("[data-tab]");
  if (first) select(first);
}

function say(text) {
  const sheet = document.createElement("article");
  sheet.className = "sheet";
  const line = document.createElement("p");
  line.className = "verdict v-quarantined";
  line.textContent = text;
  sheet.append(line);
  show(sheet.outerHTML);
}

async function load(address, options) {
  try {
    const response = await fetch(address, options);
    if (response.ok) return await response.text();
    let reason = `La demande a échoué (${response.status}).`;
    try { reason = (await response.json()).detail || reason; } catch { /* the status says enough */ }
    if (response.status === 413) reason = "Le fichier est trop grand pour être expliqué ici.";
    say(reason);
  } catch {
    say("La démonstration ne répond pas.");
  }
  return null;
}

async function select(tab) {
  for (const other of content.querySelectorAll("[data-tab]")) other.setAttribute("aria-selected", String(other === tab));
  for (const panel of content.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== tab.dataset.tab;
  if (tab.dataset.load) {
    const address = tab.dataset.load, panel = content.querySelector(`[data-panel="${tab.dataset.tab}"]`);
    delete tab.dataset.load;
    const html = await load(address);
    if (html !== null) panel.innerHTML = html;
  }
}

async function open(address) {
  const row = document.querySelector(`[data-open="${address}"]`);
  if (row) row.classList.remove("unread");
  const html = await load(address);
  if (html === null) return;
  history.replaceState(null, "", `#${address}`);   // the address of what is open can be kept and given
  show(html);
}

async function explain(chosen) {
  if (chosen.size > Number(document.body.dataset.maxFile)) return say("Le fichier est trop grand pour être expliqué ici.");
  const headers = { "X-Liaison-Demo": "1", "Content-Type": "application/octet-stream" };
  const html = await load("/explain", { method: "POST", headers, body: chosen });
  if (html !== null) show(html);
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-open]"), tab = event.target.closest("[data-tab]"), speed = event.target.closest("[data-speed]");
  if (row) open(row.dataset.open);
  else if (tab) select(tab);
  else if (speed) fetch(`/speed/${speed.dataset.speed}`, { method: "POST", headers: { "X-Liaison-Demo": "1" } });
  else if (event.target === detail) detail.close();
});
document.addEventListener("keydown", (event) => {
  if ((event.key === "Enter" || event.key === " ") && event.target.matches("[data-open]")) { event.preventDefault(); open(event.target.dataset.open); }
});
$("close").addEventListener("click", () => detail.close());
detail.addEventListener("close", () => { content.replaceChildren(); history.replaceState(null, "", location.pathname); });
$("choose").addEventListener("click", () => file.click());
file.addEventListener("change", () => { if (file.files.length) explain(file.files[0]); file.value = ""; });
addEventListener("dragenter", (event) => { if (event.dataTransfer.types.includes("Files")) drop.hidden = false; });
drop.addEventListener("dragover", (event) => event.preventDefault());
drop.addEventListener("dragleave", () => { drop.hidden = true; });
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.hidden = true;
  if (event.dataTransfer.files.length) explain(event.dataTransfer.files[0]);
});
connect();
if (/^#\/(messages|mails)\/\d+$/.test(location.hash)) open(location.hash.slice(1));
