"""What the page on Gabors says of the search and the comparison."""

import numpy as np
import pandas as pd

from lib.gabors.compare import LABELS


def describe(search, fit, *, refine_from):
    """Say which Gabor won a search of one unit, and how well a Gabor fits its MEI.

    Parameters
    ----------
    search : GaborSearch
    fit : GaborFit
    refine_from : int
        Gabors of the grid from which the search went on.
    """
    best = search.parameters.iloc[0]
    return (
        f"Of {search.n_grid:,} Gabors and the search from the best {refine_from} the winner has "
        f"orientation {best.orientation:.0f} degrees, {best.spatial_frequency:.3f} cycles per "
        f"degree, sigma {best.sigma:.1f} degrees at azimuth {best.x:.1f}, elevation "
        f"{best.y:.1f}. The Gabor fitted to the MEI correlates {fit.r:.3f} with it."
    )


def shown_beside_gabors(of_mei, of_gabor):
    """Return names and true responses to the optimum, the MEI and everything that is compared with it.

    Parameters
    ----------
    of_mei : dict
        Of `lib.mei.truth.judge_mei`: there mei is the whole MEI.
    of_gabor : dict
        Of `lib.mei.truth.judge_gabor`: there mei is the masked MEI.
    """
    shown = {"true optimum": of_mei["optimum_true_response"], "whole MEI": of_mei["whole_mei_true_response"]}
    shown |= {
        label: of_gabor[f"{name}_true_response"]
        for name, label in LABELS.items()
        if f"{name}_true_response" in of_gabor
    }
    shown["grey"] = of_mei["grey_true_response"]
    return list(shown), list(shown.values())


def shown_tests(tests):
    """`compare_predictions` as a page shows it."""
    shown = pd.DataFrame(
        {
            "models": tests.n,
            "difference (spikes)": tests.mean_difference.map("{:+.2f}".format),
            "95 % interval": [f"{low:+.2f} to {high:+.2f}" for low, high in zip(tests.low, tests.high)],
            "ratio": tests.mean_ratio,
            "p (Holm)": tests.p_holm.map("{:.2g}".format),
        }
    )
    return (
        shown.replace({"nan": "–", "+nan to +nan": "–"})
        .rename(index=LABELS)
        .rename_axis(columns="masked MEI against")
        .style.format({"ratio": "{:.2f}"}, na_rep="–")
    )


def describe_comparison(table, tests, *, alpha=0.05):
    """Say what MEI, best Gabor and best natural image draw, and whether the first two differ.

    Parameters
    ----------
    table : DataFrame
        Of `compare_stimuli`.
    tests : DataFrame
        Of `compare_predictions`.
    alpha : float
        Of the corrected test.
    """
    mean, gabor = table.mean(axis=1), tests.loc["gabor"]
    above = int((table.loc["mei"] > table.loc["gabor"]).sum())
    text = (
        f"The masked MEI draws {mean['mei']:.2f} predicted spikes, the best Gabor "
        f"{mean['gabor']:.2f} (ratio {gabor.mean_ratio:.2f}; in {above} of {table.shape[1]} models the "
        f"MEI is better), the best natural image {mean['image']:.2f}. "
    )
    if not np.isfinite(gabor.p_holm):
        return text + "So few models allow no test."
    better = "masked MEI" if gabor.mean_difference > 0 else "best Gabor"
    certain = (
        "other natural images could have changed that"
        if gabor.p_holm >= alpha
        else "other natural images would hardly have changed that"
    )
    return text + f"More is predicted of the {better}; {certain} (p = {gabor.p_holm:.2g})."
