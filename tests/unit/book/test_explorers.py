"""What a reader can take in hand: every picture and number stands where the script looks for it."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from book._ext import explorers
from lib.files import write_json


def content(html):
    """What the script reads, as a browser would hand it over."""
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def picture(path, data, k):
    """The picture that the script shows at position k of the slider."""
    row, column = divmod(data["frames"][k], data["columns"])
    sheet = np.asarray(Image.open(path)) / 255
    return sheet[
        row * data["height"] : (row + 1) * data["height"],
        column * data["width"] : (column + 1) * data["width"],
    ]


@pytest.fixture
def grey():
    """30 images, each of one grey, so that a picture says which image it is."""
    return np.linspace(0.1, 0.9, 30)[:, None, None] * np.ones((30, 16, 24))


def save(folder, stage, **arrays):
    """Leave the result of a stage."""
    write_json(folder / f"{stage}.json", {"scalars": {}})
    np.savez(folder / f"{stage}.npz", **arrays)


def test_each_point_shows_its_own_image_in_the_order_of_recorded_responses(tmp_path, grey):
    """Fault: the image, the count or the standard error of another point; another order."""
    recorded = np.roll(np.arange(30.0), 7)
    predicted = recorded / 10

    predicted[3] = np.nan
    save(tmp_path, "cnn", predicted=predicted, recorded=recorded, recorded_error=recorded / 5)
    explorers.write_sheet(grey, tmp_path / "sheet.jpg")
    data = content(explorers.responses(tmp_path, "sheet.jpg", (16, 24), np.arange(30)))
    assert 3 not in data["frames"] and len(data["points"]) == len(data["labels"]) == 29
    for k, point in enumerate(data["points"]):
        image = data["frames"][k]
        assert point == pytest.approx([predicted[image], recorded[image], recorded[image] / 5])
        assert data["labels"][k].startswith(f"Image {image}: predicted {predicted[image]:.2f}")
        assert picture(tmp_path / "sheet.jpg", data, k).mean() == pytest.approx(grey[image].mean(), abs=0.01)
    counted = [y for _, y, _ in data["points"]]
    assert counted == sorted(counted)


def test_an_ascent_ends_with_the_mei(tmp_path, grey):
    save(
        tmp_path,
        "mei",
        mei=grey[20],
        path=grey[:14],
        path_steps=np.arange(14),
        path_responses=np.arange(14.0),
    )
    data = content(explorers.ascent(tmp_path, tmp_path / "sheet.jpg", "sheet.jpg"))
    assert len(data["frames"]) == 15 and data["labels"][3] == "After 3 steps: predicted response 3.00"
    assert picture(tmp_path / "sheet.jpg", data, 13).mean() == pytest.approx(grey[13].mean(), abs=0.01)
    assert picture(tmp_path / "sheet.jpg", data, 14).mean() == pytest.approx(grey[20].mean(), abs=0.01)
    assert data["labels"][14].startswith("The MEI")


def test_a_result_of_an_earlier_version_has_no_ascent_to_show(tmp_path, grey):
    save(tmp_path, "mei", mei=grey[0])
    assert explorers.ascent(tmp_path, tmp_path / "sheet.jpg", "sheet.jpg") is None


def test_a_stage_that_failed_has_nothing_to_show_and_stops_nobody(tmp_path, grey):
    """Fault: the book dies on the missing arrays of one failed unit, or shows those of an earlier run."""
    sheet = tmp_path / "sheet.jpg"
    assert explorers.ascent(tmp_path, sheet, "sheet.jpg") is None
    save(tmp_path, "mei", mei=grey[0], path=grey[:2], path_steps=np.arange(2), path_responses=np.arange(2.0))
    save(tmp_path, "cnn", predicted=np.arange(30.0), recorded=np.arange(30.0))
    for stage in ("cnn", "mei"):
        write_json(tmp_path / f"{stage}.json", {"failed": "it broke"})
    assert explorers.ascent(tmp_path, sheet, "sheet.jpg") is None
    assert explorers.responses(tmp_path, "sheet.jpg", (16, 24), np.arange(30)) is None


def test_no_word_ends_the_script_early():
    labels = ["<b> & 'so' \"on\" – {{ x }}"]
    html = explorers.slider("a.jpg", (2, 3), frames=[0], name="</script>", labels=labels, start=0)
    assert html.count("</script>") == 1 and content(html)["name"] == "</script>"
    assert content(html)["labels"] == labels and "\n" not in html and "&#" not in html
