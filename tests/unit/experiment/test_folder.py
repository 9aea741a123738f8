"""What goes to the rig is what the tables say, measured in the pictures themselves."""

import csv
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib.errors import InputError
from lib.experiment import folder, schedule, stimuli, words
from lib.experiment.screen import Screen, place
from lib.mei.verdict import VERDICTS
from lib.params import parameter_rules
from lib.stimuli.contrast import Target
from tests.unit.experiment.conftest import DEGREES, SCREEN


def grey_values(path):
    return np.asarray(Image.open(path), float)


@pytest.fixture
def copied(written, tmp_path):
    shutil.copytree(written.folder, tmp_path / "stimuli")
    return folder.read_stimuli(tmp_path / "stimuli")


@pytest.mark.parametrize("gamma", [1.0, 2.2])
def test_a_picture_holds_its_array_to_half_a_grey_level(everything, tmp_path, gamma):
    """Fault: values cut off instead of rounded, or gamma the wrong way round."""
    image = next(iter(everything.values()))["images"]["mei_whole"]
    screen = Screen(480, 300, 0.41308, 0.45, gamma)
    luminance = screen.render(image, degrees_per_pixel=DEGREES)
    Image.fromarray(screen.encode(luminance)).save(tmp_path / "a.png")
    exact = 255 * luminance.astype(float) ** (1 / gamma)
    assert np.abs(grey_values(tmp_path / "a.png") - exact).max() <= 0.5 + 1e-4
    seen = screen.crop(luminance, image.shape, degrees_per_pixel=DEGREES, pixels=image.shape)
    assert (
        np.abs(seen - image).max() < 0.25 * np.ptp(image) and np.corrcoef(seen.flat, image.flat)[0, 1] > 0.99
    )


def test_stimuli_stand_where_and_as_large_as_the_table_says(written):
    """Fault: up for down, half a pixel, a scale other than the screen's. Measured pixel by pixel."""
    for name, row in written.table[written.table.kind == "mei"].iterrows():
        values = grey_values(written.folder / name)
        power = (values - np.median(values)) ** 2
        rows, columns = np.indices(power.shape)
        column, line = ((power * at).sum() / power.sum() for at in (columns, rows))
        x, y = (column - 239.5) * SCREEN.degrees_per_pixel, (149.5 - line) * SCREEN.degrees_per_pixel
        assert abs(x - row.x) < 0.5 and abs(y - row.y) < 0.5
        near = np.hypot(columns - column, rows - line) * SCREEN.degrees_per_pixel <= row.radius
        assert 0.9 < power[near].sum() / power.sum() < 0.99


def test_place_finds_a_blob(written):
    """Fault: rows taken for columns. A Gaussian's square holds 95 % within 1.22 sigma."""
    y, x = np.mgrid[-20:21, -30:31]
    blob = np.exp(-((x - 7) ** 2 + (y + 4) ** 2) / (2 * 3**2))
    found = place(0.5 + 0.3 * blob, degrees_per_pixel=2.0, grey=0.5)
    assert np.allclose(found, (14, 8, 2 * 3 * np.sqrt(-np.log(0.05))), atol=1.5)
    assert np.isnan(place(np.full((4, 4), 0.5), degrees_per_pixel=1, grey=0.5)).all()


def test_every_block_shows_everything_once_and_the_time_is_kept(written):
    """Fault: an order that lacks stimuli in a block, or runs longer than it may."""
    order = written.presentations
    assert (order.onset_s.iloc[-1] + 0.35) / 60 <= 40
    for _, block in order.groupby("block"):
        shown = block.file.value_counts()
        assert set(shown.index) == set(written.table.index)
        assert (shown.drop("blank.png") == 1).all() and shown["blank.png"] == schedule.BLANKS
    first, second = (order[order.block == k].file.tolist() for k in (1, 2))
    assert first != second


def test_repeats_are_those_that_the_test_needs():
    """Fault: a plan that is off by a factor. Power of the paired test by simulation; .8 is wanted."""
    table = pd.DataFrame({"unit_id": 7, "kind": ["mei", "image", "other_1"], "predicted": [4.0, 3.0, 1.0]})
    plan = schedule.repeats_needed(table, pd.Series({7: 1.0})).loc[7]
    n, rng = int(plan.image_needs), np.random.default_rng(1)
    d = rng.poisson(4.0, (4000, n)) - rng.poisson(3.0, (4000, n))
    t = d.mean(1) / (d.std(1, ddof=1) / np.sqrt(n))
    assert 0.76 < (t > 2.0).mean() < 0.88 and plan.others_needs < n
    none = schedule.repeats_needed(table.assign(predicted=[1.0, 3, 1]), pd.Series({7: 1.0})).loc[7]
    assert np.isinf(none.needs)


def test_too_little_time_is_said():
    with pytest.raises(InputError, match="stimuli.minutes is 1: 200 stimuli take 1.2 minutes each time"):
        schedule.passes(200, pd.Series([9.0]), minutes=1, duration=0.25, gap=0.1)


def test_a_screen_too_small_is_said():
    with pytest.raises(InputError, match="screen is 100 x 100 pixels, the images take 291 x 229"):
        Screen(100, 100, 0.41308, 0.5).size_of((30, 38), DEGREES)


def test_the_set_reads_back_and_is_the_same_when_made_again(written, everything, session, tmp_path):
    """Fault: an order or a picture that changes from one time to the next, so that responses find no set."""
    table, images = stimuli.tabulate(everything, session)
    again = folder.write_set(
        tmp_path, session, table, images, SCREEN, minutes=40, duration=0.25, gap=0.1, seed=1
    )
    assert again.name == written.name
    folder.check_pictures(again)
    with open(again.folder / "presentations.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"set", "presentation", "block", "onset_s", "duration_s", "file"}
    assert {row["file"] for row in rows} <= {path.name for path in again.folder.iterdir()}


def test_a_picture_for_another_gamma_is_recognised(copied):
    """Fault: pictures that somebody encoded anew are taken for those of the set."""
    name = copied.table.index[0]
    other = Screen(480, 300, 0.41308, SCREEN.grey, 2.2)
    Image.fromarray(other.encode(other.render(copied.images[name], degrees_per_pixel=DEGREES))).save(
        copied.folder / name
    )
    with pytest.raises(InputError, match="made for a screen of gamma 2.2, the run says gamma 1") as error:
        folder.check_pictures(copied)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda path: path.unlink(), "is not there, stimuli.csv names it"),
        (lambda path: path.write_bytes(b"no picture"), "not a readable picture"),
        (
            lambda path: Image.new("L", (9, 9)).save(path),
            "picture L of 9 x 9 pixels, expected 8-bit grey of 480 x 300",
        ),
        (lambda path: Image.new("RGB", (480, 300)).save(path), "a picture RGB of 480 x 300"),
        (
            lambda path: Image.new("L", (480, 300), 9).save(path),
            "differs from the array of its name by up to",
        ),
    ],
)
def test_a_picture_that_is_not_that_of_the_set_is_one_line(copied, change, message):
    change(copied.folder / copied.table.index[3])
    with pytest.raises(InputError, match=message) as error:
        folder.check_pictures(copied)
    assert "\n" not in str(error.value)


def test_units_are_chosen_by_verdict_then_by_oracle_and_a_verdict_is_a_choice_of_the_declaration():
    """Fault: the best units last, or a verdict that was renamed and can no longer be asked for."""
    table = pd.DataFrame(
        {
            "selected": True,
            "verdict": [VERDICTS[k] for k in (1, 0, 0, 2)],
            "oracle_correlation": [9, 1, 2, 5],
        },
        index=[1, 2, 3, 4],
    )
    assert stimuli.choose_units(table, 3) == stimuli.choose_units(table, {"best": 3}) == [3, 2, 1]
    assert stimuli.choose_units(table, "selected", failed=[2]) == [3, 1, 4]
    assert stimuli.choose_units(table, VERDICTS[0]) == [3, 2] and stimuli.choose_units(table, [4, 2]) == [
        4,
        2,
    ]
    with pytest.raises(InputError, match="unit 9 has no MEI"):
        stimuli.choose_units(table, [9])
    assert set(VERDICTS) <= set(dict(parameter_rules())["stimuli.units"]["anyOf"][1]["enum"])


def test_the_rig_is_told_when_responses_are_counted(written):
    """Fault: counts of another window come back, or stimuli follow within the window, without a word."""
    text = (written.folder / "README.md").read_text()
    assert "counted from 0.05 to 0.3 s after onset" in text and "Warning" not in text
    late = words.counted_from((0.05, 0.55), 0.35)
    assert "appears after 0.35 s, within this window" in late and "0.2 s more" in late


def test_why_there_are_no_stimuli_is_said_again(tmp_path):
    folder.write_none(tmp_path, "screen is too small")
    with pytest.raises(InputError, match="^screen is too small$"):
        folder.read_stimuli(tmp_path / "stimuli")


def test_a_control_brings_nothing_from_outside_its_mask():
    """Fault: what the ascent left around the other unit's MEI, outside its mask, is shown too."""
    rows, columns = np.indices((30, 40))
    noise = np.random.default_rng(3).normal(0.5, 0.1, (2, 30, 40))
    wide, narrow = (((abs(rows - 15) < r) & (abs(columns - 20) < r)).astype(float) for r in (9, 4))
    target = Target(mean=0.5, contrast=0.02)
    units = {
        unit: {"images": {"mei_whole": image}, "mask": mask, "target": target}
        for unit, image, mask in zip((1, 2), noise, (wide, narrow))
    }
    ((image, source),) = stimuli.controls(1, units).values()
    assert source == 2 and image[narrow == 1].std() > 0.02
    assert image[(wide == 1) & (narrow == 0)].std() < 1e-6


def test_controls_have_the_place_mean_and_contrast_of_the_unit_they_are_shown_to(written, everything):
    """Fault: another unit's MEI shown at its own place, which no neuron elsewhere would answer."""
    for unit in written.units:
        own = written.table[written.table.unit_id == unit].set_index("kind")
        others = own.loc[["other_1", "other_2", "other_3"]]
        assert np.allclose(others["mean"], own["mean"]["mei"], atol=1e-4)
        assert np.allclose(others.contrast, own.contrast["mei"], atol=1e-3)
        assert (np.hypot(others.x - own.x["mei"], others.y - own.y["mei"]) < 8).all()
        assert unit not in others.source.tolist() and others.source.nunique() == 3
