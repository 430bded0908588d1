// What pages gain where JavaScript runs. Without it everything still works:
// parts are refreshed by a link, texts are selected by hand, the server checks
// what a form says.
"use strict";
(() => {
  const $ = (s, e = document) => e.querySelector(s);
  const $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const policy = window.trustedTypes?.createPolicy("desk", { createHTML: (s) => s });
  const parse = (s) => new DOMParser().parseFromString(policy ? policy.createHTML(s) : s, "text/html");

  $$("[data-keys],[data-copy]").forEach((e) => (e.hidden = false));
  $$(".nojs").forEach((e) => (e.hidden = true));

  // Live parts. An element with data-live (empty, or the address to ask) and an id
  // is replaced by the element with this id in the answer. data-every is the least
  // number of seconds between two answers.
  const parts = $$("[data-live][id]");
  const urls = [...new Set(parts.map((e) => e.dataset.live || location.href))];
  const tags = {}, last = {};
  let since = new Date();

  const busy = (e) => {
    const s = getSelection();
    return e.contains(document.activeElement) || (!s.isCollapsed && s.containsNode(e, true));
  };

  const swap = (e, fresh) => {
    const open = $$("details", e).map((d) => d.open);
    if (e.className !== fresh.className) e.className = fresh.className;
    e.replaceChildren(...fresh.childNodes);
    $$("details", e).forEach((d, i) => (d.open = open[i] ?? d.open));
  };

  async function refresh(url) {
    const all = parts.filter((e) => (e.dataset.live || location.href) === url);
    const due = all.filter((e) => Date.now() - (last[e.id] || 0) >= (e.dataset.every || 0) * 1000 && !busy(e));
    if (!due.length) return;
    const headers = tags[url] ? { "If-None-Match": tags[url] } : {};
    const answer = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(30000) });
    if (answer.status === 401 || answer.redirected) return location.reload();
    if (answer.status === 304) return;
    if (!answer.ok && answer.status !== 503) throw answer.status;
    const doc = parse(await answer.text());
    let whole = due.length === all.length;
    for (const e of due) {
      const fresh = doc.getElementById(e.id);
      if (!fresh) continue;
      // Time has passed since the question: somebody may be reading here by now.
      if (busy(e) || $("dialog[open]")) {
        whole = false;
        continue;
      }
      last[e.id] = Date.now();
      if (fresh.innerHTML !== e.innerHTML || fresh.className !== e.className) swap(e, fresh);
    }
    // The tag stands for what is shown; only then may the server say "unchanged".
    tags[url] = whole && answer.headers.get("ETag");
    if (url === location.href && doc.title) document.title = doc.title;
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
    if (!document.hidden && !$("dialog[open]")) {
      const start = performance.now();
      try {
        for (const url of urls) await refresh(url);
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

  // Keys. They can be switched off, and are off where somebody writes.
  const dialog = $("#keys"), on = $("#keys-on");
  const store = (v) => {
    try {
      return v === undefined ? localStorage.getItem("keys") : localStorage.setItem("keys", v);
    } catch {
      return null;
    }
  };
  if (on) {
    on.checked = store() !== "off";
    on.addEventListener("change", () => store(on.checked ? "on" : "off"));
  }
  const help = () => dialog && !dialog.open && dialog.showModal();
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
    if (e.ctrlKey || e.altKey || e.metaKey || !on?.checked || dialog.open) return;
    if (e.target.closest?.("input,select,textarea,[contenteditable]")) return;
    if (keys[e.key]) e.preventDefault(), keys[e.key]();
  });
  addEventListener("click", (e) => $$("details.more[open]").forEach((d) => d.contains(e.target) || (d.open = false)));

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
