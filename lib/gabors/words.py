"""What the page on Gabors reports about the search and the comparison."""

import numpy as np
import pandas as pd

from lib.gabors.compare import AT_EQUAL_TRUTH, LABELS, LEAST_GAIN


def describe(search, fit, *, refine_from):
    """Say which Gabor won a `GaborSearch` of one unit, and how well a `GaborFit` fits its MEI."""
    best = search.parameters.iloc[0]
    return (
        f"The search evaluated {search.n_grid:,} Gabors on a grid and refined the best {refine_from}. The "
        f"winner has an orientation of {best.orientation:.0f} degrees, a spatial frequency of "
        f"{best.spatial_frequency:.3f} cycles per degree and a sigma of {best.sigma:.1f} degrees; it is "
        f"centred at azimuth {best.x:.1f} and elevation {best.y:.1f} degrees. The correlation of "
        f"the MEI with the Gabor fitted to it is {fit.r:.3f}."
    )


def shown_beside_gabors(of_mei, of_gabor):
    """Return names and true responses to the optimum, the MEI and everything that is compared with it.

    As `judge_mei` and `judge_gabor` of `lib.mei.truth` found them; in the latter mei is the masked MEI.
    """
    shown = {"true optimum": of_mei["optimum_true_response"], "whole MEI": of_mei["whole_mei_true_response"]}
    shown |= {
        label: of_gabor[f"{name}_true_response"]
        for name, label in LABELS.items()
        if f"{name}_true_response" in of_gabor
    }
    shown["grey"] = of_mei["grey_true_response"]
    return list(shown), list(shown.values())


def shown_tests(tests, *, unit="spikes"):
    """`compare_predictions`, of responses in `unit`, as a page shows it."""
    shown = pd.DataFrame(
        {
            "models": tests.n,
            f"difference ({unit})": tests.mean_difference.map("{:+.2f}".format),
            "95 % interval (uncorrected)": [
                f"{low:+.2f} to {high:+.2f}" for low, high in zip(tests.low, tests.high)
            ],
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


def describe_comparison(table, tests, *, alpha=0.05, unit="spikes"):
    """Say what MEI, best Gabor and best natural image evoke (in `unit`), and whether the first two differ.

    From the tables of `compare_stimuli` and `compare_predictions`; `alpha` is that of the corrected test.
    """
    mean, gabor = table.mean(axis=1), tests.loc["gabor"]
    above = int((table.loc["mei"] > table.loc["gabor"]).sum())
    text = (
        f"The masked MEI evokes {mean['mei']:.2f} predicted {unit}, the best Gabor {mean['gabor']:.2f} "
        f"(ratio {gabor.mean_ratio:.2f}; the MEI is better in {above} of {table.shape[1]} models) and the "
        f"best natural image {mean['image']:.2f}. "
    )
    if not np.isfinite(gabor.p_holm):
        return text + "With so few models, no test is possible."
    better = "masked MEI" if gabor.mean_difference > 0 else "best Gabor"
    relation = "lies within" if gabor.p_holm >= alpha else "exceeds"
    return text + (
        f"The predicted advantage of the {better} {relation} the uncertainty due to the training images "
        f"(p = {gabor.p_holm:.2g})."
    )


def describe_gain(gain):
    """Say what gain of the MEI over the best Gabor is predicted: of `lib.gabors.compare.gain_over`."""
    text = (
        f"Corrected for what fitting errors alone produce (at most {AT_EQUAL_TRUTH:g}), the masked MEI "
        f"evokes {gain['gain']:.2f} times the response to the best Gabor"
    )
    if not np.isfinite(gain["p"]):
        return text + "; with so few models, no interval is possible."
    return (
        f"{text} (95 % interval {gain['low']:.2f} to {gain['high']:.2f}; test of a gain of {LEAST_GAIN:g}, "
        f"not yet corrected over neurons: p = {gain['p']:.2g})."
    )


def describe_counts(response, recorded):
    """Say what the images that were shown evoked (mean counts), beside what is predicted for the MEI."""
    more = (
        "an image that was shown evoked more, at its own contrast, than the MEI is predicted to evoke at the "
        "contrast of all stimuli compared here"
        if recorded.max() > response["mei"]
        else "no image that was shown evoked as much as the MEI is predicted to"
    )
    return (
        f"The largest mean response recorded to a natural image is {recorded.max():.2f} spikes, at full "
        f"contrast; the MEI is predicted to evoke {response['mei']:.2f}: {more}."
    )


def count_warning(predicted, largest):
    """Say that a predicted count lies above the largest mean count that was recorded."""
    if predicted <= largest:
        return ""
    times = f"{predicted / largest:.1f} times" if largest > 0 else "above"
    return (
        f"The count predicted for the MEI is {times} the largest recorded mean: an "
        "extrapolation, which is to be taken within a factor of two. Ratios of predicted responses are more "
        "certain than the counts themselves."
    )
