// Shows a mark's title at once, under a pointer or a finger. Without this script the browser shows it after a while.
"use strict";
(() => {
  const tip = document.getElementById("tip");
  const text = (mark) => {
    const title = mark.querySelector("title");
    if (title) {
      mark.setAttribute("aria-label", title.textContent);
      title.remove();
    }
    return mark.getAttribute("aria-label");
  };
  const show = (event) => {
    const mark = event.target.closest ? event.target.closest(".plot .tt") : null;
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = text(mark);
    const right = event.clientX + 14 + tip.offsetWidth > document.documentElement.clientWidth;
    tip.style.left = `${right ? Math.max(4, event.clientX - 14 - tip.offsetWidth) : event.clientX + 14}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
  };
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
})();
