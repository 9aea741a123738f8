"""Templates: what is escaped, and what is missing."""

import pytest
from jinja2 import UndefinedError

from workflow.render import TEMPLATES, render


def test_html_is_escaped_and_markdown_is_not():
    given = dict(up="", kind="CSV", size=1)
    assert 'href="data/a&amp;b&#34;.csv"' in render("figure_data.html.jinja", file='a&b".csv', **given)
    assert "`a` of this unit has no result: 'b' < c & d." in render(
        "no_result.md.jinja", stage="a", reason="'b' < c & d"
    )


def test_what_a_template_names_and_is_not_given_is_an_error():
    """Fails if a page with a gap in the place of a value is made instead."""
    with pytest.raises(UndefinedError, match="reason"):
        render("no_result.md.jinja", stage="a")


@pytest.mark.parametrize("name", TEMPLATES.list_templates(extensions=["jinja"]))
def test_each_template_says_in_its_name_what_it_makes(name):
    assert name.endswith((".html.jinja", ".md.jinja")), "or it would not be known whether to escape"
    TEMPLATES.get_template(name)
