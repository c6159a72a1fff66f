// Keeps the page up to date: fetches it again every few seconds and exchanges the parts that are marked. It waits while the page is not
// looked at, and while something is selected that would be lost.
"use strict";
(() => {
  const every = 3000;
  const sign = document.getElementById("live");
  const parts = () => document.querySelectorAll("[data-live]");
  const selected = () => document.querySelector("input[name=selected][type=checkbox]:checked");
  const held = () => document.hidden || selected() || String(getSelection());
  const show = (text, state) => {
    sign.hidden = false;
    sign.textContent = text;
    sign.className = "live " + state;
  };

  const refresh = async () => {
    if (held()) {
      show("held", "held");
      return;
    }
    try {
      // The message about the last action was seen by now.
      const address = new URL(location.href);
      ["done", "n", "gone"].forEach((name) => address.searchParams.delete(name));
      const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
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
      show("no answer", "lost");
    }
  };

  // A box in the head of a table that selects all of its rows.
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
