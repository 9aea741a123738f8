"""Measures of tuning, the same for recordings, models and truth: known answers."""

import numpy as np
import pandas as pd
import pytest

from lib.data import conditions, simulated_session
from lib.responses import tuning

GRATINGS = simulated_session.grating_conditions()
INDEX = pd.MultiIndex.from_frame(GRATINGS[conditions.GRATING])


def test_preferred_gratings_are_marginal_as_in_allensdk():
    """The best single condition is elsewhere: fails if it decides instead of the means."""
    values = np.ones((120, 2))
    values[:, 0] += (GRATINGS.orientation == 60) + (GRATINGS.spatial_frequency == 0.16)
    values[0, 0] = 9.0  # 0 degrees, .02: not enough to raise the mean of 20 or 24 conditions
    found = tuning.grating_measures(pd.DataFrame(values, index=INDEX))
    assert found.loc[0, ["pref_ori_sg", "pref_sf_sg"]].tolist() == [60.0, 0.16]
    assert found.loc[1].isna().all()  # answers alike to everything


def test_selectivity_is_one_less_the_circular_variance_at_the_preferred_frequency_and_phase():
    """As `osi` of AllenSDK's stimulus_analysis.py, on noise; whatever the order of the conditions."""
    means = pd.DataFrame(np.random.default_rng(0).gamma(1, size=(120, 3)), index=INDEX)
    found = tuning.grating_measures(means.sample(frac=1, random_state=0))
    for unit, row in found.iterrows():
        own = means[unit].xs((row.pref_sf_sg, row.pref_phase_sg), level=["spatial_frequency", "phase"])
        doubled = sum(r * np.exp(2j * np.pi * angle / 90 / 2) for angle, r in own.items())
        assert row.g_osi_sg == pytest.approx(abs(doubled) / own.sum())
        assert row.pref_phase_sg == means[unit].groupby(level="phase").mean().idxmax()


def test_phase_modulation_of_a_simple_and_a_complex_response():
    """1 + cos over phases: first harmonic over mean of 1; no dependence on phase: 0."""
    wave = np.cos(2 * np.pi * (GRATINGS.phase - 0.25))
    at = (GRATINGS.orientation == 30) & (GRATINGS.spatial_frequency == 0.04)
    values = np.stack([np.where(at, 1 + wave, 0.1), np.where(at, 1.0, 0.1)], 1)
    found = tuning.grating_measures(pd.DataFrame(values, index=INDEX))
    assert found.phase_modulation_sg.tolist() == pytest.approx([1, 0], abs=1e-12)
    assert found.pref_phase_sg[0] == 0.25 and found.pref_ori_sg.tolist() == [30, 30]


def test_a_field_is_found_where_it_is():
    table = simulated_session.gabor_conditions()[conditions.GABOR]
    index = pd.MultiIndex.from_frame(table)
    bump = np.exp(-((table.x_position - 12) ** 2 + (table.y_position + 7) ** 2) / (2 * 9**2))
    found = tuning.field_measures(pd.DataFrame(np.stack([1 + 3 * bump, 0 * bump], 1), index=index))
    assert found.loc[0].tolist() == pytest.approx([12, -7, 9], abs=0.05)
    assert found.loc[1].isna().all()


def test_allen_coordinates_are_brought_to_the_middle_of_the_screen():
    units = pd.DataFrame(
        {"azimuth_rf": [60.0], "elevation_rf": [5.0], "area_rf": [400.0], "f1_f0_dg": [1.2], "snr": [3.0]}
    )
    found = tuning.allen_measures(units)
    assert found.loc[0].to_dict() == {"x_rf": 10, "y_rf": -5, "size_rf": 20, "f1_f0": 1.2}
    assert tuning.allen_measures(units[["snr"]]).empty


def table(n, rng):
    return pd.DataFrame(
        {
            "x_rf": rng.normal(0, 20, n),
            "y_rf": rng.normal(0, 20, n),
            "pref_ori_sg": rng.choice(np.arange(0, 180, 30), n).astype(float),
            "g_osi_sg": rng.uniform(0.2, 0.8, n),
        }
    )


def test_agreement_tells_own_units_from_others():
    """Fails if the control is the unit itself, if the period of orientation is forgotten, or ranks turned."""
    rng = np.random.default_rng(1)
    first = table(40, rng)
    second = first.assign(
        x_rf=first.x_rf + 3, pref_ori_sg=(first.pref_ori_sg + 170) % 180, g_osi_sg=first.g_osi_sg**3
    )
    found = tuning.agreement(first, second)
    assert found.value.to_dict() == pytest.approx({"centre": 3, "orientation": 10, "gOSI": 1})
    assert (found.p < 0.01).all() and found.other.centre > 10 and found.other.orientation > 30
    assert abs(found.other["gOSI"]) < 0.1
    apart = tuning.agreement(first, table(40, np.random.default_rng(2)))
    assert (apart.p > 0.02).all() and (apart.low <= apart.value).all() and (apart.value <= apart.high).all()


def test_preferences_of_untuned_units_do_not_count():
    rng = np.random.default_rng(1)
    first = table(20, rng)
    second = first.assign(p_value_rf=np.repeat([0.5, 0.001], 10), g_osi_sg=np.repeat([0.2, 0.01], 10))
    found = tuning.agreement(first, second)
    assert found.units.to_dict() == {"centre": 10, "orientation": 10, "gOSI": 20}
    assert tuning.agreement(first, second.iloc[:3]).value.isna().all()  # too few units


def test_a_stimulus_counts_only_in_all_combinations():
    shown = simulated_session.gabor_conditions()
    assert tuning.whole_set(shown, "gabors", conditions.GABOR)
    assert not tuning.whole_set(shown.iloc[1:], "gabors", conditions.GABOR)
    assert not tuning.whole_set(shown, "static_gratings", conditions.GRATING)
    assert not tuning.whole_set(None, "gabors", conditions.GABOR)
