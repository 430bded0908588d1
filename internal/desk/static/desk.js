// What pages gain where JavaScript runs. Without it everything still works:
// parts are refreshed by a link, texts are selected by hand, the server checks
// what a form says.
"use strict";
(() => {
  const $ = (s, e = document) => e.querySelector(s);
  const $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const policy = window.trustedTypes?.createPolicy("desk", { createHTML: (s) => s });
  const parse = (s) => new DOMParser().parseFromString(policy ? policy.createHTML(s) : s, "text/html");

  $$("[data-keys],[data-copy],[data-print]").forEach((e) => (e.hidden = false));
  $$(".nojs").forEach((e) => (e.hidden = true));

  // Live parts. What an element with data-live="NAME" has in it is asked for anew at
  // the address of the page. data-every is the least number of seconds in between.
  const parts = $$("[data-live]");
  const title = document.title;
  const last = new Map();
  let since = new Date();

  // Nothing is taken away from under somebody who is using it.
  const busy = (e) => {
    const s = getSelection();
    return document.hidden || $("dialog[open]") || e.contains(document.activeElement) || (!s.isCollapsed && s.containsNode(e, true));
  };

  function mark() {
    const text = $("[data-title]")?.dataset.title;
    document.title = text ? text + " – " + title : title;
  }
  mark();

  async function refresh(e) {
    const known = last.get(e) || { at: 0 };
    if (busy(e) || Date.now() - known.at < (e.dataset.every || 0) * 1000) return;
    const headers = { "Desk-Part": e.dataset.live };
    if (known.tag) headers["If-None-Match"] = known.tag;
    const answer = await fetch(location.href, { headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(30000) });
    if (answer.status === 401 || answer.type === "opaqueredirect") return location.reload();
    if (answer.status !== 304 && !answer.ok) throw answer.status;
    const text = answer.status !== 304 && (await answer.text());
    // Time has passed since the question: somebody may be reading here by now.
    if (busy(e)) return;
    last.set(e, { at: Date.now(), tag: answer.headers.get("ETag") || known.tag });
    if (!text) return;
    const fresh = parse(text).body;
    // What is as it was is not read out again.
    if (fresh.innerHTML.trim() === e.innerHTML.trim()) return;
    const open = $$("details", e).map((d) => d.open);
    e.replaceChildren(...fresh.childNodes);
    $$("details", e).forEach((d, i) => (d.open = open[i] ?? d.open));
    mark();
  }

  const stale = $("#stale");
  function news(ok) {
    if (ok) since = new Date();
    if (!stale || stale.hidden === ok) return;
    stale.hidden = ok;
    let clock;
    const form = { hour: "2-digit", minute: "2-digit" };
    try {
      clock = since.toLocaleTimeString(document.documentElement.lang, { ...form, timeZone: document.body.dataset.zone });
    } catch {
      clock = since.toLocaleTimeString(document.documentElement.lang, form);
    }
    $("time", stale).textContent = clock;
  }

  // Every 5 s, slower where answers are slow: 20 times as long as one took, a minute at most.
  let waiting;
  async function round() {
    let took = 0;
    if (!document.hidden) {
      const start = performance.now();
      try {
        for (const e of parts) await refresh(e);
        news(true);
      } catch {
        news(false);
      }
      took = performance.now() - start;
    }
    waiting = setTimeout(round, Math.min(60000, Math.max(5000, 20 * took)));
  }
  if (parts.length) {
    waiting = setTimeout(round, 5000);
    addEventListener("online", () => (clearTimeout(waiting), (waiting = setTimeout(round, 100))));
  }

  // Keys, unless the visitor has switched them off; never where somebody writes.
  const dialog = $("#keys");
  const help = () => dialog.showModal();
  $("[data-keys]")?.addEventListener("click", help);

  function row(step) {
    const rows = $$("[data-row]").filter((r) => $("a,button", r));
    const at = rows.findIndex((r) => r.contains(document.activeElement));
    const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step];
    if (next) $("a,button", next).focus(), next.scrollIntoView({ block: "nearest" });
  }
  const keys = { "/": () => $("#find")?.focus(), j: () => row(1), k: () => row(-1), "?": help };

  addEventListener("keydown", (e) => {
    const menu = e.target.closest?.("details.more[open]");
    if (e.key === "Escape" && menu) return (menu.open = false), $("summary", menu).focus();
    if (e.ctrlKey || e.altKey || e.metaKey || !dialog || dialog.open) return;
    if (e.target.closest?.("input,select,textarea,[contenteditable]")) return;
    if (keys[e.key]) e.preventDefault(), keys[e.key]();
  });
  addEventListener("click", (e) => $$("details.more[open]").forEach((d) => d.contains(e.target) || (d.open = false)));

  addEventListener("click", (e) => e.target.closest?.("[data-print]") && print());

  // Copy. Over plain http there is no clipboard: the text is selected instead.
  addEventListener("click", async (e) => {
    const button = e.target.closest?.("[data-copy]");
    if (!button) return;
    const from = document.getElementById(button.dataset.copy);
    let done = false;
    try {
      await navigator.clipboard.writeText(from.value ?? from.textContent);
      done = true;
    } catch {
      from.focus();
      from.select?.();
      try {
        done = document.execCommand("copy");
      } catch {}
    }
    if (done) button.textContent = button.dataset.done;
  });

  // A count that has to be typed before many are touched, and no form twice.
  $$("form[data-count]").forEach((form) => {
    const input = $("[name=count]", form), button = $("button", form);
    const check = () => (button.disabled = input.value.replace(/\D/g, "") !== form.dataset.count);
    input.addEventListener("input", check);
    check();
  });
  addEventListener("submit", (e) => {
    if (e.target.method !== "post") return;
    if (e.target.dataset.sent) return e.preventDefault();
    e.target.dataset.sent = "1";
  });
  addEventListener("pageshow", (e) => e.persisted && $$("form[data-sent]").forEach((f) => delete f.dataset.sent));

  $("#problem")?.focus();
})();
