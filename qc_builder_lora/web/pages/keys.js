document.addEventListener("keydown", (event) => {
  if (event.target.matches("textarea, input[type=text]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const choice = { a: "a", b: "b", t: "tie" }[event.key.toLowerCase()];
  const name = choice ? "choice" : "score";
  const value = choice || (/^[1-5]$/.test(event.key) ? event.key : null);
  if (value) { document.querySelector(`input[name=${name}][value="${value}"]`).checked = true; event.preventDefault(); }
  else if (event.key === "Enter" && !event.target.matches("a, button, summary")) { document.getElementById("rate").requestSubmit(); event.preventDefault(); }
});
