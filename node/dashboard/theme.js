// A classic script, so that it runs before anything is drawn: a page that turns dark after a moment hurts.
try {
  const theme = localStorage.getItem("strand.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; then the system's colours hold.
}
