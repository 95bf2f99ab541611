from legible.tables import markdown_table


def test_a_table_has_a_line_for_its_head_its_rule_and_each_row() -> None:
    assert markdown_table(["a", "b"], [[1, "x"], [2.5, "y"]]) == "| a | b |\n|---|---|\n| 1 | x |\n| 2.5 | y |"


def test_what_would_end_a_cell_does_not() -> None:
    assert markdown_table(["a"], [["x|y"]]).endswith("| x&#124;y |")
