"""The page of parameters says what the schema and params.yml say."""

from book._ext.parameters_page import comments, parameters_page
from lib.params import parameter_rules


def test_every_parameter_is_on_the_page_with_its_default_and_range():
    """Fault: a parameter that the page leaves out, or a table that a bar in a cell breaks."""
    text = parameters_page()
    for name, _ in parameter_rules():
        assert f"| `{name.split('.')[-1]}` | `" in text, name
    assert "| `steps` | `200` | a whole number from 1 to 100000 | at most; the ascent stops when" in text
    assert "| `degrees_per_pixel` | `0` | a number from 0 to 100 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert {line.count(" | ") for line in rows} == {2, 3}


def test_a_comment_goes_on_in_the_next_line():
    """Fault: the second line of a comment is lost, or given to another parameter."""
    said = comments(
        "mei:\n  steps: 3   # at most;\n             # fewer if done\n  seed: 2\nname: a  # b | c\n"
    )
    assert said == {"mei": "", "mei.steps": "at most; fewer if done", "mei.seed": "", "name": "b or c"}
