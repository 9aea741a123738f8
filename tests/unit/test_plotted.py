"""The text that stands for a picture in the notebooks' test changes with what is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.lib.pretty import pretty
from matplotlib.figure import Figure

from lib import plotted
from tests.notebooks.tolerance import close


def bars(ax, y):
    ax.bar(range(len(y)), y)


def points(ax, y):
    ax.scatter(range(len(y)), y)


def ranges(ax, y):
    ax.hlines(range(len(y)), 0, y)


def image(ax, y):
    ax.imshow(np.outer(y, y))


def mask(ax, y):
    ax.contour(np.outer(y, y) > 0.2)


@pytest.fixture
def draw():
    def digest_of(kind, y, **options):
        _, ax = plt.subplots()
        (ax.plot if kind == "line" else kind)(*([y] if kind == "line" else [ax, y]), **options)
        return plotted.digest(ax.figure)
    yield digest_of
    plt.close("all")


@pytest.mark.parametrize("kind", ["line", bars, points, ranges, image, mask])
def test_a_digest_follows_the_values(kind, draw):
    """Fails if a kind of drawing is left out, or if an order or one value does not matter."""
    y = np.linspace(0.1, 1, 20)
    changed = y.copy()
    changed[7] = 0.0
    assert close(draw(kind, y), draw(kind, y * (1 + 1e-7)))
    assert not close(draw(kind, y), draw(kind, y[::-1]))
    if kind is not mask:
        assert not close(draw(kind, y), draw(kind, changed))
        assert not close(draw(kind, 1e-6 * y), draw(kind, 1.01e-6 * y))


def test_words_and_missing_values_count(draw):
    _, ax = plt.subplots()
    ax.plot([1.0, np.nan])
    ax.set_xlabel("time (s)")
    ax.text(0, 0, "here")
    text = plotted.digest(ax.figure)
    assert "time (s)" in text and "text here" in text and "1 missing" in text


def test_ipython_stores_it_beside_the_picture(monkeypatch):
    monkeypatch.setattr(Figure, "_repr_pretty_", None, raising=False)
    plotted.print_digests()
    assert pretty(plt.figure()) == "figure, 0 axes"
    plt.close("all")
