// Puts the address of this portal into commands; without this script a reader writes it.
for (const place of document.querySelectorAll("[data-root]")) {
  const root = new URL(".", new URL(place.dataset.root, document.baseURI));
  place.textContent = root.href.replace(/\/$/, "");
}
