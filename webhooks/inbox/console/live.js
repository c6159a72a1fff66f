// Keeps the page up to date: fetches it every three seconds and replaces the elements that have a data-live attribute. Pauses while the page
// is hidden, and while rows or text are selected, because replacing them would lose the selection.
"use strict";
(() => {
  const every = 3000;
  const indicator = document.getElementById("live");
  const parts = () => document.querySelectorAll("[data-live]");
  const selected = () => document.querySelector("input[name=selected][type=checkbox]:checked");
  const held = () => document.hidden || selected() || String(getSelection());
  const show = (text, state) => {
    indicator.hidden = false;
    indicator.textContent = text;
    indicator.className = "live " + state;
  };

  const refresh = async () => {
    if (held()) {
      show("updates paused", "held");
      return;
    }
    try {
      // Leave out the message about the last action: it is shown once.
      const address = new URL(location.href);
      ["done", "n", "skipped"].forEach((name) => address.searchParams.delete(name));
      const response = await fetch(address, { credentials: "same-origin", redirect: "error" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!page.getElementById("live")) throw new Error("not a page of the console");
      if (held()) return;
      for (const part of parts()) {
        const fresh = page.getElementById(part.id);
        if (part.id === "notes" && address.href !== location.href) continue;
        if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceWith(document.adoptNode(fresh));
      }
      addSelectAll();
      show("live", "");
    } catch {
      show("no response", "lost");
    }
  };

  // Adds a checkbox to the head of the table that selects all rows of the page.
  const addSelectAll = () => {
    const head = document.querySelector("th.check");
    if (!head || head.firstChild) return;
    const box = document.createElement("input");
    box.type = "checkbox";
    box.ariaLabel = "Select all on this page";
    box.addEventListener("change", () => {
      document.querySelectorAll("input[name=selected]").forEach((one) => { one.checked = box.checked; });
    });
    head.append(box);
  };

  if (document.querySelector("main [data-live]:not(#notes)")) {
    addSelectAll();
    show("live", "");
    const next = () => setTimeout(() => refresh().finally(next), every);
    next();
  }
})();
