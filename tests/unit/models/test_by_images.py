"""Which kind of model is recommended for a number of images."""

import pandas as pd

from lib.models import by_images
from lib.models import words as model_words

TABLE = pd.DataFrame(
    [(100, "ridge", 0.4, 0.1), (100, "v1", 0.8, 0.5), (1000, "v1", 0.93, 0.88), (1000, "shared", 0.935, 0.7),
     (5000, "v1", 0.94, 0.9), (5000, "shared", 0.97, 0.85)],
    columns=["images", "model", "r", "r_low"],
)  # fmt: skip


def test_the_nearest_size_decides_and_of_kinds_alike_the_safer_one(monkeypatch):
    """Fails if sizes are compared by difference, or the highest median wins by less than it can be told."""
    monkeypatch.setattr(by_images, "measured", lambda: TABLE)
    assert by_images.best_kind(118) == ("v1", 100)
    assert by_images.best_kind(400) == ("v1", 1000)  # as near to 100 by difference
    assert by_images.best_kind(3000) == ("shared", 5000)


def test_another_kind_is_named_only_where_it_was_measured_to_do_better(monkeypatch):
    monkeypatch.setattr(by_images, "measured", lambda: TABLE)
    assert "*v1*, predicts best." in model_words.describe_choice("v1", 118)
    text = model_words.describe_choice("v1", 6000)
    assert "`cnn.model: shared`" in text and "5,000 images" in text and "6,000 here" in text
    assert "*own* was not measured" in model_words.describe_choice("own", 118)


def test_the_stored_table_is_of_kinds_that_can_be_chosen():
    """Fails if a row is twice, or of a kind under another name."""
    table = by_images.measured()
    assert set(table.model) <= {"v1", "shared", "ridge"} and not table.duplicated(["images", "model"]).any()
    assert table.r.between(table.r_low, 1).all()
