"""A table as LaTeX, in the style of the package booktabs."""

import re

from epropnp.evaluation.table import Table, cells_text, for_readers

ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "≤": r"$\le$",
    "°": r"$^\circ$",
    "[": "{[}",  # after a line's end it would be an optional argument
    "\n": " ",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}
SPECIAL = re.compile("|".join(map(re.escape, ESCAPED)))


def to_latex(table: Table) -> str:
    """An environment `table` with title and rows; notes are comments, for a paper says such things itself."""
    table = for_readers(table)
    places = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    titles = " & ".join(latex_text(column.title) for column in table.columns)
    lines = [
        f"% {line}" for note in ("needs \\usepackage{booktabs}", *table.notes) for line in note.splitlines()
    ]
    lines += [r"\begin{table}", r"\centering"]
    if table.title:
        lines.append(rf"\caption{{{latex_text(table.title)}}}")
    lines += [rf"\begin{{tabular}}{{{places}}}", r"\toprule", rf"{titles} \\", r"\midrule"]
    for cells in cells_text(table):
        texts = [rf"\textbf{{{latex_text(text)}}}" if strong else latex_text(text) for text, strong in cells]
        lines.append(rf"{' & '.join(texts)} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def latex_text(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return SPECIAL.sub(lambda found: ESCAPED[found[0]], text)
