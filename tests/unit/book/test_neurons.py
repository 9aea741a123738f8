"""What pages show of each neuron at a glance; each test says which fault it would catch."""

import re

import numpy as np
import pandas as pd
import pytest

from book._ext import neurons, pictures, unit_pages, words
from lib.files import write_json
from workflow.render import render


def glance(unit, gain, verdict="well supported", **more):
    row = {
        "mei_response": gain * 2.0,
        "gabor_response": 2.0,
        "image_response": 1.0,
        "verdict": verdict,
        "cc_norm": 0.9,
        "structure": "VISp",
        "truth_kind": "two_subunit",
    }
    found = neurons.figures_of(unit, pd.Series(row | more))
    return found | {
        "pictures": {"mei": f"neurons/{unit}-mei.png"},
        "zoom": None,
        "largest": None,
        "most": 9.0,
    }


def test_a_gain_is_a_ratio_unless_the_run_has_one_of_its_own():
    """Fault: the run's own gain ignored, difference in place of ratio, NaN shown as a number."""
    assert glance(1, 1.5)["gain"] == 1.5 and glance(1, 1.5)["low"] is None
    own = glance(1, 1.5, gain_over_gabor=1.4, gain_over_gabor_low=1.1, more_than_gabor="yes")
    assert (own["gain"], own["low"], own["answer"]) == (1.4, 1.1, "yes")
    assert glance(1, np.nan)["gain"] is None and glance(1, np.nan)["size"] == ""
    assert glance(1, 1.5)["kind"] == "two subunit"


def test_a_picture_shows_the_mask_in_its_middle_at_a_scale_that_fits():
    """Fault: rows and columns exchanged, a window beyond the screen, a scale bar of another length."""
    mask = np.zeros((60, 77))
    mask[10:18, 40:50] = 1
    zoom = neurons.window(mask, 1.5)
    side = zoom["side"]
    assert zoom["top"] <= 10 and zoom["top"] + side >= 18
    assert abs(zoom["left"] + side / 2 - 45) <= 1 and abs(zoom["top"] + side / 2 - 14) <= 1
    assert zoom["share"] == pytest.approx(zoom["scale"] / (side * 1.5)) and zoom["scale"] == 10
    corner = np.zeros((60, 77))
    corner[:3, 74:] = 1
    zoom = neurons.window(corner, 1.5)
    assert zoom["top"] == 0 and zoom["left"] + zoom["side"] == 77
    whole = neurons.window(np.zeros((60, 77)), 1.5)
    assert whole["side"] == 60


def test_stimuli_keep_their_relation_when_their_contrast_is_raised():
    """Fault: each stimulus stretched for itself, which would make equal contrasts look unlike."""
    shown = np.full((2, 4, 4), 0.4)
    shown[0, 1, 1], shown[1, 1, 1] = 0.5, 0.45
    raised = neurons.enhanced(shown)
    assert raised[0, 1, 1] == pytest.approx(1) and raised[1, 1, 1] == pytest.approx(0.75)
    assert raised[0, 0, 0] == 0.5


def test_the_largest_recorded_mean_comes_with_its_own_error(tmp_path):
    """Fault: the error of another image; a result of an earlier version that has none stops the book."""
    write_json(tmp_path / "cnn.json", {"scalars": {}})
    np.savez(tmp_path / "cnn.npz", recorded=np.array([1.0, np.nan, 5, 2]), recorded_error=np.arange(4.0))
    assert neurons.largest_recorded(tmp_path) == {"largest": 5.0, "largest_error": 2.0}
    np.savez(tmp_path / "cnn.npz", recorded=np.array([1.0, 3]))
    assert neurons.largest_recorded(tmp_path) == {"largest": 3.0, "largest_error": None}


def test_the_examples_are_the_extremes_among_the_best_supported():
    """Fault: the largest gain of an MEI that is not supported opens the book."""
    shown = [glance(1, 3.0, "not supported"), glance(2, 1.01), glance(3, 1.4), glance(4, 1.2)]
    assert [g["unit"] for g in neurons.two_examples(shown)] == [3, 2]
    assert [g["unit"] for g in neurons.two_examples(shown[:1])] == [1]
    told = [
        glance(5, 1.2, "uncertain") | {"answer": "yes"},
        glance(6, 2.0, "not supported") | {"answer": "yes"},
    ]
    assert [g["unit"] for g in neurons.two_examples([*shown, *told])] == [5, 2]  # established


def test_gains_stand_on_a_logarithmic_axis():
    """Fault: a linear axis, an interval drawn from its middle, a true gain beyond the axis lost."""
    shown = [
        glance(1, 2.0, gain_over_gabor_low=1.5, gain_over_gabor_high=2.5),
        glance(2, 1.0, mei_true_response=30.0, gabor_true_response=1.0),
    ]
    axis = neurons.axis_of(shown)
    first, second = axis["rows"]
    ticks = dict(axis["ticks"])
    assert ticks["2"] == first["at"] and ticks["1"] == second["at"] == axis["one"]
    assert first["from"] < first["at"] < first["to"]
    assert ticks["2"] - ticks["1.5"] == pytest.approx(first["at"] - first["from"], abs=0.1)
    assert second["true_at"] == 100 and second["beyond"] and not first["beyond"]


@pytest.mark.parametrize(
    "gains, expected",
    [
        ([1.5, 1.01], "In 1 of 2 neurons, the MEI is predicted to evoke clearly more"),
        ([1.02, 1.01], "In none of 2 neurons is the MEI predicted to evoke clearly more"),
        ([], "No neuron has both"),
    ],
)
def test_the_answer_is_chosen_by_the_gains(gains, expected):
    """Fault: a difference claimed where there is none; none said where there is one."""
    shown = [glance(k, g) for k, g in enumerate(gains)]
    assert words.gabor_sentence(shown).startswith(expected)


def test_the_runs_own_answers_come_before_the_size_of_the_gain():
    """Fault: a large gain that cannot be told from none is counted as one."""
    shown = [
        glance(1, 1.5, more_than_gabor="cannot be told"),
        glance(2, 1.05, more_than_gabor="yes"),
        glance(3, 1.0, more_than_gabor="no"),
    ]
    text = words.gabor_sentence(shown)
    assert "In 1 of 3 neurons" in text and "in 1 a Gabor does as well and 1 is undecided" in text


def test_an_abstract_is_short_and_counts_the_verdicts():
    """Fault: an abstract that nobody reads, verdicts of another run."""
    shown = [glance(1, 1.5), glance(2, 1.01), glance(3, 1.2, "uncertain")]
    text = words.abstract(shown, units=48, simulated=True)
    assert len(text.split()) < 110
    assert "rates 2 MEIs as well supported and 1 as uncertain" in text and "48 simulated neurons" in text


def test_claims_name_what_they_rest_on():
    """Fault: a neuron counted that does not bear the claim out; a strength that no share supports."""
    table = pd.DataFrame(
        {
            "correlation_to_average": [0.9, 0.1],
            "permutation_p": [0.001, 0.9],
            "selected": True,
            "map_p": [0.9, 0.9],
            "map_x": np.nan,
            "map_y": np.nan,
            "mei_x": 0.0,
            "mei_y": 0.0,
        },
        index=[1, 2],
    )
    shown = [glance(1, 1.5), glance(2, 1.0, "not supported")]
    made = words.claims(table, shown, simulated=False, sure=[])
    assert made[0]["units"] == [1] and made[0]["strength"] == "weak"
    gabor = next(claim for claim in made if "Gabor" in claim["title"])
    assert gabor["units"] == [1] and made[-1]["units"] == [1]
    assert len(made) <= 5 and words.strength(0.95) == "strong" and words.strength(0) == "none"


def test_a_dashboard_shows_pictures_checks_and_bars(tmp_path):
    """Fault: a verdict without its reasons, a figure of another neuron, a bar beyond its track."""
    g = glance(11, 1.5)
    g |= {"zoom": {"scale": 10, "share": 0.4}, "largest": 4.0, "largest_error": 0.2}
    text = render(
        "unit.md.jinja",
        g=g,
        checks=[
            {
                "tone": "missed",
                "sign": "✗",
                "word": "failed",
                "name": "CCnorm",
                "value": "0.10",
                "needed": "≥ 0.7",
            }
        ],
        probability="",
        field={"mei": (50, 50, 20), "map": None},
        ranged=False,
        warnings=[],
        values=["area VISp"],
    )
    assert text.count('class="still ') == 2 and "no significant recorded field" in text
    assert "failed: </span>CCnorm" in text and "largest recorded<" in text
    assert all(float(width) <= 100 for width in re.findall(r"width:([\d.]+)%", text))


def test_a_section_that_says_only_that_there_is_nothing_is_left_out():
    """Fault: an empty section kept; a section that has something to say lost."""
    heading = lambda text: {"cell_type": "markdown", "metadata": {}, "source": text}
    said = lambda text: {
        "cell_type": "code",
        "metadata": {},
        "source": "",
        "outputs": [{"data": {"text/markdown": text}}],
    }
    cells = [
        heading("## A"),
        said("*Nothing.*"),
        heading("## B"),
        said("Something."),
        heading("## C"),
        heading("x"),
    ]
    kept = unit_pages.without_empty_sections(cells)
    assert [cell["source"] for cell in kept if cell["source"]] == ["## B", "## C", "x"]


SVG = """<svg viewBox="0 0 400 100"><style>
.s0 {fill: #ffffff; stroke: #000000}
</style><defs></defs><g id="figure_1"><g id="axes_1">
 <g id="patch_2">
  <path d="M 40 90
L 180 90
L 180 10
L 40 10
z
" style="fill: #ffffff"/></g></g><g id="axes_2">
 <g id="patch_7">
  <path d="M 240 90
L 340 90
L 340 10
L 240 10
z
"/></g></g><g id="axes_3">
 <g id="patch_9">
  <path d="M 350 90
L 360 90
L 360 10
L 350 10
z
"/></g></g></g></svg>"""


def test_a_figure_is_cut_between_its_panels_and_not_before_a_colour_bar():
    """Fault: a panel cut through, a colour bar parted from its panel."""
    (cut,) = pictures.panel_cuts(SVG)
    assert 180 / 400 * 1000 < cut < 240 / 400 * 1000
    cell = {"metadata": {}, "outputs": [{"data": {"image/svg+xml": [SVG]}}]}
    (done,) = pictures.dressed([cell])
    assert done["metadata"]["mystnb"]["image"]["classes"] == f"cut-{cut}"
    text = done["outputs"][0]["data"]["image/svg+xml"]
    assert "dark) {text {fill: #dddddd}\n.s0 {fill: none}\n.s0 {stroke: #dddddd}}\n</style><defs>" in text
    assert cell["metadata"] == {}, "the notebook itself stays as it is"
