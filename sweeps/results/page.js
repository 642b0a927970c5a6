// Titles of tables sort their rows; without this the page is whole, and as it was made.
for (const table of document.querySelectorAll("table.result")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent;
      const order = new Intl.Collator("en", { numeric: true }).compare;
      const compare = (a, b) => {
        const [x, y] = [value(a), value(b)];
        const numbers = [Number(x), Number(y)];
        return numbers.some(Number.isNaN) ? order(x, y) : numbers[0] - numbers[1];
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => (up ? 1 : -1) * compare(a, b));
      table.tBodies[0].append(...rows);
    });
  });
}
