"""The sentences of the MEI's page, written from what the run computed."""

import numpy as np
import pandas as pd

from lib.mei import calibration
from lib.mei.recovery import shortest_design
from lib.words import counted, listed

AGREEMENT = {
    "image_correlation": "correlation of the pixels",
    "energy_correlation": "correlation of the local energy (phase-invariant)",
    "response_ratio": "ratio of the responses",
}
FIGURES = {  # of `lib.mei.verdict.evidence`
    "prediction_low": "correlation with responses to unseen images: lower end of its interval",
    "cc_norm": "correlation with responses to unseen images over its noise ceiling (CCnorm)",
    "top_lift": "response to the images predicted best over that to the best ones (roots, above the mean)",
    "half_energy_correlation": "likeness of the MEIs of models of one half of the images and of the other",
    "half_mei_correlation": "likeness of the MEI and those of models of half of the images",
    "half_transfer": "rise that a model of one half of the images predicts for the other's MEI, over its own",
    "heard_by_halves": "rise that models of half of the images predict for the MEI, over that for their own",
    "rise_over_signal": "rise above grey over the spread of recorded responses that is no noise",
    "map_distance": "distance from the receptive field among recorded Gabors (degrees)",
    "grating_turn": "orientation off the one preferred among recorded gratings (degrees)",
}


def made(makers, judges, *, kind, target, fraction, natural_contrast, finest_detail):
    """Say on which models (one list where there is one) and under which constraints the images were made.

    The contrast is `fraction` of `natural_contrast`, the finest detail is in cycles per degree.
    """
    models = (
        f"optimised and evaluated on one model of kind *{kind}*"
        if makers is judges
        else f"optimised on {len(makers)} models of kind *{kind}* (the makers) and evaluated on "
        f"{len(judges)} others (the judges)"
    )
    return (
        f"The images were {models}. Every image has a mean of {target.mean:.3f} and an RMS "
        f"contrast of {target.contrast:.4f}, which is {fraction:g} of C* = {natural_contrast:.4f}, the "
        "average contrast of the natural images: a pattern the size of a receptive field on a grey "
        "background cannot reach the full C* without leaving the displayable range. No image contains "
        f"detail above {finest_detail:g} cycles per degree."
    )


def shown_agreement(agreed):
    """`verdict.agreements` as a page shows it."""
    return pd.DataFrame(agreed).T.rename(columns=AGREEMENT).style.format(precision=3, na_rep="–")


def masked(mask, *, kept, degrees_per_pixel):
    """Say how much of the response the MEI (`kept`, of the ascent's) and its `MEIMask` keep."""
    inside = mask.mask > 0.5
    text = f"The MEI evokes {100 * kept:.0f} % of the predicted response to the final image of the ascent. "
    if not mask.threshold:
        return text + "No smaller region of it carries the response; the whole image is taken for the mask."
    parts = f" in {mask.parts} parts" if mask.parts > 1 else ""
    return (
        f"{text}Its mask covers {inside.sum() * degrees_per_pixel**2:.0f} square degrees "
        f"({100 * inside.mean():.0f} % of the image){parts}; under it, at the same contrast, the MEI evokes "
        f"{100 * mask.kept:.0f} % of its rise above grey."
    )


def mask_warning(kept, *, least=0.9):
    """Say how much the judges lose under the mask (`kept`: their rise under it over that without)."""
    if kept >= least:
        return ""
    return (
        f"Under its mask, the MEI evokes only {100 * kept:.0f} % of the rise above grey that the judges "
        "predict for the whole image. Comparisons under the mask leave out a part of what drives this neuron."
    )


def transfer_warning(transfer, *, most=1.2):
    """Say that the judges predict much more than the makers, which made the image, do."""
    if not transfer > most:
        return ""
    return (
        f"The judges predict {100 * transfer:.0f} % of the rise above grey that the makers predict, although "
        "the makers made the image. The two sets of models disagree on the size of the response, which is "
        f"known to within a factor of {transfer:.1f} at best."
    )


def others(drives, correlations, heard, *, alike=0.5, unit="spikes"):
    """Say whether images unlike the MEI drive the model, and what the judges predict.

    Parameters
    ----------
    drives, correlations : (n,) arrays
        Of `diverse_exciting_inputs`, the MEI first.
    heard : (n + 2,) array
        The judges' responses to these images, to the most inhibiting one and to grey, in `unit`.
    alike : float
        Correlation with the MEI below which the first other image counts as unlike it.
    """
    finding = (
        "the model responds to patterns that are unlike each other"
        if correlations[1] < alike
        else "no image unlike the MEI was found that evokes nearly as large a response"
    )
    mine, *answers = (f"{r:.2f}" for r in heard[:-2])
    return (
        f"In the makers, each of the other images evokes at least "
        f"{100 * min(drives[1:]) / drives[0]:.0f} % of the response to the MEI. The correlation of the first "
        f"with the MEI is {correlations[1]:.2f}: {finding}. The judges predict {mine} {unit} in response to "
        f"the MEI, {listed(answers)} to the other images, {heard[-2]:.2f} to the most inhibiting image "
        f"and {heard[-1]:.2f} to grey."
    )


def judged(believed, row, *, unit="spikes"):
    """Give the verdict (of `lib.mei.verdict.judge`), its worth, and what the judges predict (`transfer`)."""
    p, low, high = (believed[f"verdict_probability{end}"] for end in ("", "_low", "_high"))
    worth = word_worth(believed["verdict"], calibration.load(believed["verdict_calibration"]))
    return (
        f"**Verdict: {believed['verdict']}.** Of 100 MEIs of simulated neurons with such figures, "
        f"{100 * p:.0f} (95 % interval {100 * low:.0f} to {100 * high:.0f}) evoke at least "
        f"{100 * calibration.GOAL:.0f} % of the best possible rise above grey at their mean and contrast. "
        f"{worth} The judges predict {row.response:.2f} {unit} in "
        f"response to the MEI and {row.grey_response:.2f} to grey; this rise is {100 * row.transfer:.0f} % "
        "of the one that the makers predict. In the judges, the MEI beats "
        f"{100 * row.natural_fraction_below:.0f} % of the natural images at equal mean, contrast and mask."
    )


def word_worth(word, measured):
    """Say how often a word of a calibration was right on simulated neurons on which nothing was chosen."""
    row = calibration.by_word(measured).loc[word]
    if not row.n:
        return "None of the simulated neurons that were held out had this verdict."
    return (
        f"Of {row.n:.0f} MEIs with this verdict, of simulated neurons on which nothing was chosen, "
        f"{row.right:.0f} did ({100 * row.part:.0f} %, 95 % interval {100 * row.low:.0f} to "
        f"{100 * row.high:.0f} %), and {row.roughly_right:.0f} evoked at least "
        f"{100 * calibration.ROUGHLY:.0f} %."
    )


def shown_checks(believed):
    """The figures that a verdict of `lib.mei.verdict.judge` rests on, as a page shows them."""
    table = pd.DataFrame(believed["verdict_checks"])
    return (
        pd.DataFrame(
            {
                "figure": table.figure.map(FIGURES),
                "value": table.value,
                "neither for nor against": table.threshold,
                "adds to the log odds": table.contribution.map("{:+.2f}".format),
            }
        )
        .style.format(precision=2, na_rep="not measured")
        .hide(axis="index")
    )


def measured_on(measured):
    """Say on which neurons a `lib.mei.calibration.Calibration` was chosen and which were held out."""
    parts = [
        f"{about['neurons']} neurons of {len(about['kinds'])} kinds in {len(about['seeds'])} simulated "
        f"sessions (CCmax {about['cc_max'][0]:.2f} to {about['cc_max'][2]:.2f}, 5th to 95th percentile)"
        for about in (measured.about["chosen on"], measured.about["held out"])
    ]
    new = set(measured.about["held out"]["kinds"]) - set(measured.about["chosen on"]["kinds"])
    named = [FIGURES[name] for name in measured.figures]
    return (
        f"The probability was fitted and chosen on {parts[0]}. Held out were {parts[1]}; {len(new)} of these "
        f"kinds were not among the former: {listed(sorted(kind.replace('_', ' ') for kind in new))}. "
        f"It rests on {'one figure' if len(named) == 1 else f'{len(named)} figures'}: {'; '.join(named)}."
    )


def reliability_sentence(bins, *, least=20):
    """Say how far the measured share is off the predicted one, in bins of at least some neurons."""
    large = bins[bins.n >= least]
    if large.empty:
        return f"No bin holds {least} neurons."
    off = (large.part - large.predicted).abs()
    inside = (large.low <= large.predicted) & (large.predicted <= large.high)
    return (
        f"In the {len(large)} bins of {least} neurons or more, the measured share differs from the predicted "
        f"probability by at most {off.max():.2f}, and in {inside.sum()} of them its interval includes it."
    )


def shown_by_word(table):
    """`lib.mei.calibration.by_word`, or of a run, as a page shows it."""
    shown = {"probability from": table.least.map("{:.2f}".format)} if "least" in table else {}
    shown |= {
        "MEIs": table.n.map("{:.0f}".format),
        f"at least {calibration.GOAL:g} of the best": table.right.map("{:.0f}".format),
        f"at least {calibration.ROUGHLY:g} of the best": table.roughly_right.map("{:.0f}".format),
        "share right, 95 % interval": [
            f"{r.part:.2f} ({r.low:.2f} to {r.high:.2f})" for r in table.itertuples()
        ],
    }
    shown = pd.DataFrame(shown).replace(r"^nan.*", "–", regex=True)
    return shown.rename_axis(index=None, columns="verdict").style


def word_sentences(table):
    """Say what each word of `lib.mei.calibration.by_word` was worth, and which neurons had none."""
    return [
        f"*{word.capitalize()}*: {row.right:.0f} of {row.n:.0f} evoke at least "
        f"{100 * calibration.GOAL:.0f} % of the best possible rise, {row.roughly_right:.0f} at least "
        f"{100 * calibration.ROUGHLY:.0f} %."
        if row.n
        else f"*{word.capitalize()}*: none of the neurons held out had this verdict."
        for word, row in table.iterrows()
    ]


def shown_by_kind(table):
    """`lib.mei.calibration.by_kind` as a page shows it."""
    shown = pd.DataFrame(
        {
            "neurons": table.n,
            "mean probability": table.probability.map("{:.2f}".format),
            "share right": (table.right / table.n).map("{:.2f}".format),
            calibration.VERDICTS[0]: table.best,
            "of these right": table.best_right,
        }
    )
    shown.index = shown.index.str.replace("_", " ")
    return shown.rename_axis(index=None, columns="kind").style


def run_sentence(own):
    """Say how often the verdicts of a run are right (`lib.mei.calibration.of_run`), if that is known."""
    if own.right.isna().all():
        return "*These are recorded neurons, so it is not known whether their MEIs are right.*"
    best = own.iloc[0]
    if not best.n:
        return f"No MEI of this run is {own.index[0]}; {own.right.sum():.0f} of {own.n.sum():.0f} are right."
    return (
        f"In truth, {best.right:.0f} of the {best.n:.0f} MEIs of this run that are {own.index[0]} evoke at "
        f"least {100 * calibration.GOAL:.0f} % of the best possible rise, and {own.right[1:].sum():.0f} of "
        f"the {own.n[1:].sum():.0f} others."
    )


def shown_recorded(table):
    """`lib.mei.recorded.by_verdict` as a page shows it."""
    names = {
        "mapped": "MEIs with a recorded field",
        "map_distance": "distance from it (deg)",
        "map_distance_other": "from other units' fields (deg)",
        "tuned": "with a preferred grating",
        "grating_turn": "orientation off (deg)",
    }
    measured = [names[name] for name in ("map_distance", "map_distance_other", "grating_turn")]
    shown = table.rename(columns=names).rename_axis(index=None, columns="verdict")
    return shown.style.format(dict.fromkeys(measured, "{:.1f}"), na_rep="–").format(
        "{:.0f}", subset=[names["mapped"], names["tuned"]]
    )


def published(mine, theirs, *, contrast, unit="spikes"):
    """Say what the judges predict, in `unit`, for the MEI and the published image at equal contrast."""
    return (
        f"At equal mean and contrast, the judges predict {mine:.2f} {unit} in response to the MEI and "
        f"{theirs:.2f} to the image of the published algorithm, whose own contrast ended at {contrast:.3f}."
    )


SHOWN = {
    "optimum": "true optimum",
    "whole_mei": "MEI",
    "ascent": "end of ascent",
    "masked_mei": "masked MEI",
    "natural": "best image",
    "published": "published",
    "grey": "grey",
    "inhibiting": "most inhibiting",
}


def shown_responses(scalars):
    """Return names and true responses of the stimuli of `judge_mei` as a page shows them, best first."""
    return [*SHOWN.values()], [scalars[f"{name}_true_response"] for name in SHOWN]


RECORDED = "*This is a recorded neuron: only an experiment can tell how it responds to these stimuli.*"
ERRORS = {
    "position_error_deg": "degrees in position",
    "orientation_error_deg": "degrees in orientation",
    "frequency_error_octaves": "octaves in spatial frequency",
}


def _errors(values, start=""):
    """Each of `ERRORS` that the unit defines, in words; their names in `values` begin with `start`."""
    defined = {words: values[start + name] for name, words in ERRORS.items()}
    return [f"{value:.2f} {words}" for words, value in defined.items() if np.isfinite(value)]


def sentence(scalars):
    """Say in plain words what `judge_mei` found, and that a recorded neuron ({}) has no known truth.

    Errors the unit does not define are left out.
    """
    if not scalars:
        return RECORDED
    mine, reached = scalars["whole_mei_true_response"], scalars["optimum_true_response"]
    text = (
        f"This simulated neuron is of kind *{scalars['truth_kind'].replace('_', ' ')}*. Its true response "
        f"is {mine:.2f} spikes to the whole MEI, {scalars['natural_true_response']:.2f} to the best natural "
        f"image in the mask and {scalars['grey_true_response']:.2f} to grey."
    )
    if not np.isfinite(scalars["mei_truth_correlation"]):
        return text + " Its responses do not depend on the image, so it has no optimum to show."
    return (
        f"{text} The MEI evokes {100 * mine / reached:.0f} % of the response to the true optimum at the "
        f"same mean and contrast ({reached:.2f} spikes). The correlation of the two images is "
        f"{scalars['mei_truth_correlation']:.3f}, and the MEI is off by "
        f"{listed(_errors(scalars, 'whole_mei_'))}."
    )


def describe_errors(errors):
    """Say how far an MEI misses the true optimum: of `lib.mei.truth.tuning_errors`, {} if it is unknown.

    Errors that the unit does not define are left out.
    """
    if not errors:
        return "This is a recorded neuron, whose true tuning is unknown."
    defined = _errors(errors)
    if not defined:
        return "This simulated neuron is untuned, so tuning errors are undefined."
    return f"The MEI misses the true optimum by {listed(defined)}."


def gabor_sentence(scalars, *, predicted, optimum):
    """Say what `judge_gabor` found, relative to the optimum and to the predicted responses.

    `scalars` is empty for a recorded neuron, `predicted` has the responses to mei (masked) and gabor, and
    `optimum` is None where it is not known; all in spikes.
    """
    if not scalars:
        return RECORDED
    mine, gabor, image = (scalars[f"{name}_true_response"] for name in ("mei", "gabor", "image"))
    if not optimum:
        return "This simulated neuron is silent: in truth, no image evokes a response."

    def answer(response):
        return f"{response:.2f} ({100 * response / optimum:.0f} %)"

    return (
        f"The true responses of this simulated neuron, in spikes, are {answer(mine)} to the masked MEI, "
        f"{answer(gabor)} to the best Gabor and {answer(image)} to the best natural image in the mask; "
        f"percentages are relative to the response to its optimum ({optimum:.2f} spikes). The gain of the "
        f"masked MEI over the best Gabor is predicted to be {predicted['mei'] / predicted['gabor']:.2f}; "
        f"the true gain is {mine / max(gabor, 1e-6):.2f}."
    )


def recovery_sentence(by_design, *, goal):
    """Say which design at the neurons' own rate is the shortest that reaches a goal, or that none does."""
    best = shortest_design(by_design, goal=goal)
    if best is None:
        top = by_design.loc[by_design["median"].idxmax()]
        return (
            f"No design at the neurons' own firing rate reaches {goal:g} of the response to the optimum "
            f"(median over neurons); the best design reaches {top['median']:.2f}."
        )
    shorter = by_design[(by_design.rate == best.rate) & (by_design.minutes < best.minutes)]
    open_ = int((shorter.high >= goal).sum())
    return (
        f"At the neurons' own firing rate ({best.spikes_per_second:.1f} spikes per second), the shortest "
        f"of these recordings whose MEIs reach {goal:g} of the response to the optimum (median over "
        f"neurons) shows {best.images:.0f} images {best.repeats:.0f} times, which takes "
        f"{best.minutes:.1f} minutes of stimulation; it reaches {best['median']:.2f} (95 % interval "
        f"{best.low:.2f} to {best.high:.2f})."
        + (f" {counted(open_, 'shorter design')} cannot be told from the goal." if open_ else "")
    )


def kinds_sentence(by_kind, *, goal):
    """Say which kinds of neurons fall short of a goal even in the largest recording: `recovery_by_kind`."""
    most = by_kind[by_kind.x == by_kind.x.max()]
    short = most[most.value < goal].sort_values("value")
    if short.empty:
        return "In the largest recording, every kind of neuron reaches it in the mean."
    named = listed(f"*{row.kind.replace('_', ' ')}* ({row.value:.2f})" for row in short.itertuples())
    return f"Even in the largest recording, these kinds fall short of it in the mean: {named}."


def power(by_design, by_kind, neurons, *, goal):
    """Say what the recordings of simulated neurons show: designs, kinds, and grey to compare."""
    return (
        f"The analysis simulated {neurons} neurons. {recovery_sentence(by_design, goal=goal)} "
        f"{kinds_sentence(by_kind, goal=goal)} A grey screen would evoke "
        f"{by_design.grey_ratio.median():.2f} of the response to the optimum."
    )
