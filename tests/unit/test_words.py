"""Numbers with their nouns, and lists, as a sentence holds them."""

from lib import words


def test_one_is_singular_and_everything_else_plural():
    """Fault: "1 units" or "0 unit"; a plural of its own forgotten."""
    assert [words.counted(n, "unit") for n in (0, 1, 1200)] == ["0 units", "1 unit", "1,200 units"]
    assert words.counted(2, "stimulus", "stimuli") == "2 stimuli"


def test_only_the_last_item_follows_an_and():
    """Fault: an item lost, or "and" before one that stands alone."""
    assert [words.listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
