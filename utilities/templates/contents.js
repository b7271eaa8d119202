// The contents: shut on a narrow screen until asked for; marks the section being read.
(() => {
  const nav = document.getElementById("contents");
  const details = nav.querySelector("details");
  const wide = matchMedia("(min-width: 64rem)");
  const adapt = () => { details.open = wide.matches; };
  wide.addEventListener("change", adapt);
  adapt();

  const links = [...nav.querySelectorAll("a")];
  const headings = links.map(link => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  const follow = () => {
    // the last heading above a line near the top of the window; at the very end, the last of all
    const line = 100;
    const atEnd = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    let current = atEnd ? headings.length - 1 : 0;
    if (!atEnd) headings.forEach((h, i) => { if (h.getBoundingClientRect().top <= line) current = i; });
    if (links[current].hasAttribute("aria-current")) return;
    links.forEach((link, i) => {
      if (i === current) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    });
    // scrolls the list only, never the page
    const box = nav.getBoundingClientRect(), at = links[current].getBoundingClientRect();
    if (wide.matches && (at.top < box.top + 40 || at.bottom > box.bottom - 40))
      nav.scrollTop += at.top - box.top - box.height / 2;
  };
  const observer = new IntersectionObserver(follow, { threshold: [0, 1] });
  headings.forEach(heading => observer.observe(heading));
  addEventListener("scroll", follow, { passive: true });
  follow();
  // on a narrow screen the list would stay in the way of what was chosen from it
  nav.addEventListener("click", event => {
    if (!wide.matches && event.target.closest("a")) details.open = false;
  });
})();
