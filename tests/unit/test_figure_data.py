"""What is drawn: the text that stands for a picture in the notebooks' test, and the data to download."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.lib.pretty import pretty
from matplotlib.figure import Figure

from lib import figure_data, figures
from tests.notebooks.tolerance import close


def bars(ax, y):
    ax.bar(range(len(y)), y)


def points(ax, y):
    ax.scatter(range(len(y)), y)


def ranges(ax, y):
    ax.hlines(range(len(y)), 0, y)


def image(ax, y):
    ax.imshow(np.outer(y, y))


def mesh(ax, y):
    ax.pcolormesh(np.outer(y, y))


def mask(ax, y):
    ax.contour(np.outer(y, y) > 0.2)


@pytest.fixture
def draw():
    def digest_of(kind, y, **options):
        _, ax = plt.subplots()
        (ax.plot if kind == "line" else kind)(*([y] if kind == "line" else [ax, y]), **options)
        return figure_data.digest(ax.figure)

    yield digest_of
    plt.close("all")


@pytest.mark.parametrize("kind", ["line", bars, points, ranges, image, mesh, mask])
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
    text = figure_data.digest(ax.figure)
    assert "time (s)" in text and "text here" in text and "1 missing" in text


def read(path):
    return pd.read_csv(path) if path.suffix == ".csv" else np.load(path)


@pytest.fixture
def saved(tmp_path):
    def save(figure):
        figure_data.save(figure, tmp_path / "figure")
        (path,) = tmp_path.iterdir()
        return read(path)

    yield save
    plt.close("all")


def test_the_data_of_lines_and_points_are_named_as_in_the_figure(saved):
    fig, (left, right) = plt.subplots(1, 2)
    figures.curves(
        left,
        [0, 1, 2],
        {"train": [1.0, 2.0, 4.0], "validation": [1.0, 1.5, np.nan]},
        xlabel="epoch",
        ylabel="loss",
    )
    right.scatter([5.0], [6.0], c=[7.0])
    right.set_title("spikes$^2$")
    table = saved(fig)
    assert table.panel.unique().tolist() == ["loss against epoch", "spikes^2"]
    train = table[table.series == "train"]
    assert train.x.tolist() == [0, 1, 2] and train.y.tolist() == [1, 2, 4]
    assert np.isnan(table[table.series == "validation"].y.iloc[2])
    assert table.iloc[-1][["series", "x", "y", "value"]].tolist() == ["points", 5, 6, 7]


def test_bars_and_intervals_have_both_ends_and_their_names(saved):
    fig, (left, right) = plt.subplots(1, 2)
    figures.bars(left, ["MEI", "grey"], [3.0, 1.0], ylabel="count")
    figures.intervals(
        right, ["", "ridge"], [0.4, 0.2], [0.3, 0.1], [0.5, 0.3], xlabel="r", reference=("ceiling", 0, 0.9)
    )
    table = saved(fig)
    bars = table[table.series == "bars"]
    assert bars.y.astype(float).tolist() == [0, 0] and bars.y_end.tolist() == [3, 1]
    assert (bars.x.astype(float).tolist(), bars.x_end.tolist()) == ([-0.4, 0.6], [0.4, 1.4])
    ranges = table[table.series == "interval"]
    assert ranges[["x", "x_end"]].astype(float).values.tolist() == [[0.3, 0.5], [0.1, 0.3]]
    assert ranges.y.tolist()[1] == "ridge"
    (band,) = table[table.series == "ceiling"].to_dict("records")
    assert (float(band["x"]), band["x_end"]) == (0, 0.9) and np.isnan(band["y_end"])


def test_images_are_saved_as_arrays_with_their_extent_and_what_is_drawn_on_them(saved):
    pixels = np.random.default_rng(0).random((6, 8)).astype(np.float32)
    fig, axes = plt.subplots(1, 2)
    for ax in axes:
        figures.stimulus(ax, pixels, degrees_per_pixel=2, title="MEI", center=(1, 2))
        pixels = 1 - pixels
    fig.colorbar(axes[0].images[0])
    arrays = saved(fig)
    assert set(arrays) == {
        "MEI: image",
        "MEI: image, extent",
        "MEI: line",
        "MEI: image (2)",
        "MEI: image (2), extent",
        "MEI: line (2)",
    }
    np.testing.assert_array_equal(arrays["MEI: image (2)"], 1 - arrays["MEI: image"])
    assert arrays["MEI: image, extent"].tolist() == [-8, 8, -6, 6]
    assert arrays["MEI: line"].tolist() == [[1, 2]]


def test_a_heat_map_is_saved_as_it_is_ordered(saved):
    """Fault: a matrix ordered by a tree saved in its first order, or as thousands of corners."""
    values = pd.DataFrame([[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]])
    tree = np.array([[0, 2, 0.1, 2], [1, 3, 0.9, 3]])
    kept = saved(figures.clustered(values, tree).figure)
    (name,) = [name for name in kept if name.endswith(": image")]
    np.testing.assert_allclose(kept[name], [[1.0, 0.1, 0.2], [0.1, 1, 0.9], [0.2, 0.9, 1]])
    assert kept[f"{name}, extent"].tolist() == [0, 3, 3, 0]


def test_a_large_image_is_kept_to_three_digits(saved):
    pixels = np.random.default_rng(0).normal(size=(400, 300))
    fig, ax = plt.subplots()
    ax.imshow(pixels)
    kept = saved(fig)["panel 1: image"]
    assert kept.itemsize == 2
    np.testing.assert_allclose(kept, pixels, rtol=1e-3, atol=1e-3)


def test_a_figure_of_nothing_is_a_table_without_rows(saved):
    assert len(saved(plt.figure())) == 0


def test_the_data_of_a_figure_are_found_by_the_text_that_ipython_stores(tmp_path, monkeypatch):
    monkeypatch.setattr(Figure, "_repr_pretty_", None, raising=False)
    (tmp_path / "old.csv").write_text("of an earlier execution")
    figure_data.describe_figures(tmp_path)
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    text = pretty(fig)
    assert text.startswith("figure, 1 axes")
    assert [path.name for path in tmp_path.iterdir()] == [figure_data.name_of(text) + ".csv"]
    plt.close("all")
