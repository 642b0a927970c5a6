"""A table as LaTeX: exact lines."""

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Column, Table
from epropnp.evaluation.table_latex import latex_text, to_latex

TABLE = Table(
    title="50% of a_b",
    columns=(Column("trial", csv_only=True), Column("head"), Column("mean", kind="estimate")),
    rows=[["t", "head_a&b", Estimate(1.25, 1.0, 2.0)], ["u", "[x]", None]],
    notes=["Means.\nOf seeds."],
    strong={(0, "mean")},
)


def test_it_is_a_table_of_booktabs() -> None:
    assert to_latex(TABLE).splitlines() == [
        r"% needs \usepackage{booktabs}",
        "% Means.",
        "% Of seeds.",
        r"\begin{table}",
        r"\centering",
        r"\caption{50\% of a\_b}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"head & mean \\",
        r"\midrule",
        r"head\_a\&b & \textbf{1.2 {[}1.0, 2.0]} \\",
        r"{[}x] & - \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_every_letter_that_latex_reads_is_escaped() -> None:
    assert (
        latex_text("cat_#1 50% $x^2~{a}\\")
        == r"cat\_\#1 50\% \$x\textasciicircum{}2\textasciitilde{}\{a\}\textbackslash{}"
    )
    assert latex_text("5 ± 1 < 7°") == r"5 $\pm$ 1 \textless{} 7$^\circ$"
