"""Markdown tables, for the model card, the gate's comment on a pull request, and benchmarks."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table: `markdown_table(["a", "b"], [[1, 2]])` -> `| a | b |`, a line of dashes, `| 1 | 2 |`."""
    return "\n".join([_line(header), "|---" * len(header) + "|", *map(_line, rows)])


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in cells)} |"
