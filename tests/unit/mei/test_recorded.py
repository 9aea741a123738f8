"""What recorded Gabors and gratings say of an MEI, and what a verdict makes of it."""

import numpy as np
import pandas as pd
import pytest

from lib.mei import calibration, recorded, verdict
from lib.mei.calibration import VERDICTS, Calibration, Figure


@pytest.fixture(scope="module")
def session():
    """Counts to Gabors and gratings of a unit with a field at (20, -10), tuned to 60 degrees."""
    rng = np.random.default_rng(0)
    places = [-40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0]
    gabors = pd.MultiIndex.from_product([places, places, [0.0, 45.0, 90.0], range(5)]).to_frame(index=False)
    gabors.columns = ["x_position", "y_position", "orientation", "repeat"]
    field = np.exp(-((gabors.x_position - 20) ** 2 + (gabors.y_position + 10) ** 2) / 200)
    gratings = pd.MultiIndex.from_product(
        [np.arange(0, 180, 30.0), [0.04, 0.08], [0.0, 0.5], range(8)]
    ).to_frame(index=False)
    gratings.columns = ["orientation", "spatial_frequency", "phase", "repeat"]
    tuned = 1 + np.cos(2 * np.deg2rad(gratings.orientation - 60))
    table = pd.concat(
        [gabors.assign(stimulus_name="gabors"), gratings.assign(stimulus_name="static_gratings")],
        ignore_index=True,
    ).assign(start_time=lambda t: np.arange(len(t)) * 0.25, stop_time=lambda t: t.start_time + 0.25)
    return rng.poisson(np.concatenate([0.5 + 6 * field, 1 + 2 * tuned])).astype(float), table


def test_place_and_orientation_are_held_against_the_recording(session):
    """Fault: azimuth and elevation exchanged, orientations compared over 360 degrees."""
    counts, table = session
    found = recorded.disagreement(counts, table, x=20.0, y=-2.0, orientation=175.0)
    assert found["map_distance"] == pytest.approx(8, abs=2.5)
    assert found["grating_turn"] == pytest.approx(65, abs=6)


def test_what_a_session_does_not_show_is_not_compared(session):
    """Fault: a unit without field, or a source without presentations, taken for one that agrees."""
    counts, table = session
    rng = np.random.default_rng(1)
    flat = recorded.disagreement(rng.poisson(1.0, len(table)), table, x=0.0, y=0.0, orientation=0.0)
    nothing = recorded.disagreement(None, None, x=0.0, y=0.0, orientation=0.0)
    assert np.isnan(flat["map_distance"]) and np.isnan(list(nothing.values())).all()


def test_a_contradicted_mei_is_not_well_supported(monkeypatch):
    """Fault: the recording is shown but not heard, or lowers what was not the best word."""
    sure = Calibration(
        3.0,
        {"cc_norm": Figure(0.0, 1.0, weight=1.0)},
        np.eye(2) / 100,
        dict(zip(VERDICTS, (0.8, 0.3, 0.0))),
        pd.DataFrame(),
        {},
    )
    monkeypatch.setattr(calibration, "load", lambda name: sure)
    near, far = ({"map_distance": d, "grating_turn": np.nan} for d in (2.0, 40.0))
    assert verdict.judge({"cc_norm": 1.0}, near)["verdict"] == VERDICTS[0]
    judged = verdict.judge({"cc_norm": 1.0}, far)
    assert judged["verdict"] == VERDICTS[1] and judged["verdict_probability"] > 0.8
    check = judged["verdict_checks"][-1]
    assert (check["figure"], check["value"], check["passed"]) == ("map_distance", 40.0, False)
    assert check["contribution"] == recorded.log_ratio("map_distance", 40.0) < 0


def test_ratios_fall_with_the_distance():
    """Fault: a file in which disagreement speaks for an MEI, or a nearer place speaks less for it."""
    for name, (near, far) in recorded.EDGES.items():
        assert recorded.log_ratio(name, near - 1) > 0 > recorded.log_ratio(name, far + 1)
        assert recorded.log_ratio(name, near - 1) >= recorded.log_ratio(name, (near + far) / 2)


def test_distances_by_verdict_have_other_units_as_control():
    """Fault: own fields among the others', units of another verdict counted, an absent field taken for 0."""
    units = pd.DataFrame(
        {
            "verdict": [VERDICTS[0], VERDICTS[0], VERDICTS[2], np.nan],
            "mei_x": [0.0, 10.0, 20.0, 0.0],
            "mei_y": 0.0,
            "map_x": [1.0, 13.0, 50.0, 0.0],
            "map_y": 0.0,
            "mei_map_distance": [1.0, 3.0, np.nan, 0.0],
            "mei_grating_turn": [10.0, np.nan, 70.0, 0.0],
        }
    )
    table = recorded.by_verdict(units)
    best = table.loc[VERDICTS[0]]
    assert (best.mapped, best.map_distance, best.map_distance_other) == (2, 2.0, 11.0)  # 13 and 9
    assert (best.tuned, best.grating_turn) == (1, 10.0)
    assert table.mapped.sum() == 2 and table.loc[VERDICTS[2], "grating_turn"] == 70
