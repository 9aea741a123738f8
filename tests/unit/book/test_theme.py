"""What the theme ships and no page uses is left out; what one uses stays."""

import pytest

from book._ext.theme import icons_of, used_rules


@pytest.mark.parametrize(
    "rule",
    [
        ".shown .below{top:0}",
        ".other,.shown{top:0}",
        ".shown:not(.other){top:0}",  # what must not be there need not be there
        'a[href$=".pdf"]{top:0}',
        "p{margin:.5rem}",
        "@media (width<9px){.shown{top:0}}",
        "@font-face{font-family:x}",
        '@import "other.css";.shown{top:0}',
    ],
)
def test_a_rule_that_may_apply_stays(rule):
    """Fault: a rule lost whose classes all stand on pages, and with it the look of the site."""
    assert used_rules(rule, {"shown", "below"}) == rule


@pytest.mark.parametrize("rule", [".other{top:0}", ".shown .other{top:0}", "p.other,.another:hover{top:0}"])
def test_a_rule_that_cannot_apply_goes_but_not_its_licence(rule):
    """Fault: all of a theme of 400 kB on every first visit; a copy without the notice that it asks for."""
    assert used_rules(f"/*! licence */{rule}", {"shown"}) == "/*! licence */"


def test_icons_are_found_in_both_forms():
    """Fault: boxes in the place of the icons that a style sheet holds as letters."""
    assert icons_of('.a{content:"\\f0c9"}:root{--icon:"\uf071"}.b{content:"x"}') == {0xF0C9, 0xF071}
