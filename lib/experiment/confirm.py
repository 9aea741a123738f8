"""What recorded responses say of each prediction: gains with intervals, and confirmed, refuted or undecided.

Every block of the experiment holds every stimulus, so what drifts from block to block drifts for all
stimuli alike: comparisons are made within blocks, and the blocks are the sample.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lib.data.session import Session
from lib.experiment.folder import StimulusSet
from lib.experiment.responses import SHUFFLES, Responses
from lib.experiment.stimuli import OTHERS
from lib.statistics import permutation_p

OUTCOMES = ("confirmed", "refuted", "undecided")
LEVEL = 0.95
RIVALS = {"image": ("image",), "others": OTHERS}  # what an MEI must exceed to be confirmed


def by_block(responses: Responses, shown: StimulusSet) -> pd.DataFrame:
    """Mean count of each unit in each block: index (block, file), a column per unit."""
    order = shown.presentations.set_index("presentation").loc[responses.counts.index]
    return responses.counts.groupby([order.block.to_numpy(), order.file.to_numpy()]).mean()


def difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Mean of first - second over blocks with its t interval; NaN in blocks that lack one are left out."""
    d = np.asarray(first, float) - np.asarray(second, float)
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return (float(d.mean()) if len(d) else np.nan, np.nan, np.nan)
    half = stats.t.ppf((1 + LEVEL) / 2, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return float(d.mean()), float(d.mean() - half), float(d.mean() + half)


def gain(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Ratio of mean counts with Fieller's interval: the ratios g at which first - g second has mean 0.

    Both are of the same blocks (blocks,). Value, low and high are inf where the second is so small that no
    ratio is too large; NaN with less than two blocks.

    References
    ----------
    Fieller, J R Stat Soc B 16:175 (1954).

    Examples
    --------
    >>> value, low, high = gain(np.array([4.0, 5, 6, 5]), np.array([2.0, 3, 2, 3]))
    >>> value, bool(1 < low < 2 < high < 4)
    (2.0, True)
    """
    a, b = (np.asarray(v, float) for v in (first, second))
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    n = len(a)
    if n < 2 or a.mean() <= 0:
        return (np.nan,) * 3 if n < 2 or b.mean() <= 0 else (0.0, 0.0, np.inf)
    value = a.mean() / b.mean() if b.mean() > 0 else np.inf
    t2 = stats.t.ppf((1 + LEVEL) / 2, n - 1) ** 2 / n
    (va, vab), (_, vb) = np.cov(a, b)
    # (mean a - g mean b)^2 <= t^2 (va - 2 g vab + g^2 vb), a quadratic in g
    square, constant = b.mean() ** 2 - t2 * vb, a.mean() ** 2 - t2 * va
    linear = a.mean() * b.mean() - t2 * vab
    root = np.sqrt(max(linear**2 - square * constant, 0))
    if square > 0:
        return value, max((linear - root) / square, 0.0), (linear + root) / square
    # the second may be 0: every ratio above the one positive root, or any at all
    return value, float(constant / (linear + root)) if constant > 0 else 0.0, np.inf


def outcome(versus: dict[str, tuple], rise: tuple, predicted_rise: float) -> str:
    """Say whether an experiment confirms that an image excites a unit most.

    Confirmed: the intervals (mean, low, high) of all differences, MEI minus each rival, lie above 0.
    Refuted: one lies below 0, or that of the rise above grey lies below half of what was predicted at the
    rate that the unit had in the experiment. Otherwise undecided.
    """
    if all(low > 0 for _, low, _ in versus.values()):
        return "confirmed"
    if any(high < 0 for *_, high in versus.values()) or rise[2] < predicted_rise / 2:
        return "refuted"
    return "undecided"


def judge(responses: Responses, shown: StimulusSet, session: Session) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge every unit that was found again; the session of the run has the rates of before.

    Returns
    -------
    units : DataFrame, index unit_id
        session, before (verdict of the run), outcome, mei_recorded, image_recorded, others_recorded,
        grey_recorded (mean counts), <rival>_difference, <rival>_low, <rival>_high, <rival>_gain with
        _gain_low and _gain_high for image and others, log_gain and log_gain_error (image), rise with
        rise_low and rise_high (MEI minus grey), predicted_rise, rate_change (of the responses to the
        reference scenes), blocks, agreement, drift (rank correlation of the reference scenes' mean counts
        with the block).
    kinds : DataFrame
        A row per unit and kind of stimulus: unit_id, kind, recorded, low, high, predicted (at the rate
        of the experiment).
    """
    blocks = by_block(responses, shown)
    references = shown.table.index[shown.table.kind == "reference"]
    scenes = pd.Index(session.image_ids).get_indexer(shown.table.source[references])
    rows, kinds = {}, []
    for unit in responses.counts:
        own = shown.table[shown.table.unit_id == unit]
        each = blocks[unit].unstack()  # (block, file)
        before = np.nanmean(session.counts[:, scenes, session.unit_index(unit)])
        rate = float(each[references].mean().mean() / before) if before > 0 else np.nan
        kind = {row.kind: each[file] for file, row in own.iterrows()}
        mei, grey = kind["mei"], each["blank.png"]
        versus = {
            name: pd.concat([kind[k] for k in names if k in kind], axis=1).mean(axis=1, skipna=False)
            for name, names in RIVALS.items()
            if set(names) & set(kind)
        }
        compared = {name: difference(mei, rival) for name, rival in versus.items()}
        rise = difference(mei, grey)
        predicted = own.set_index("kind").predicted
        predicted_rise = rate * float(predicted["mei"] - own.predicted_grey.iloc[0])
        row = {
            "session": responses.name,
            "before": own.verdict.iloc[0],
            "outcome": outcome(compared, rise, predicted_rise),
            "mei_recorded": mei.mean(),
            "grey_recorded": grey.mean(),
        }
        ends = ("recorded", "difference", "low", "high", "gain", "gain_low", "gain_high")
        for name, rival in versus.items():
            values = (rival.mean(), *compared[name], *gain(mei, rival))
            row |= {f"{name}_{end}": value for end, value in zip(ends, values)}
        row["log_gain"], row["log_gain_error"] = log_gain(mei, versus["image"])
        row |= dict(zip(("rise", "rise_low", "rise_high"), rise))
        reference = each[references].mean(axis=1)
        drift = stats.spearmanr(reference.index, reference).statistic if reference.std() > 0 else 0.0
        row |= {
            "predicted_rise": predicted_rise,
            "rate_change": rate,
            "blocks": int(mei.notna().sum()),
            "agreement": responses.agreement[unit],
            "drift": float(drift),
        }
        rows[unit] = row
        for name, counts in kind.items():
            mean, low, high = difference(counts, 0 * counts)
            kinds.append((unit, name, mean, low, high, rate * predicted[name]))
    units = pd.DataFrame.from_dict(rows, orient="index").rename_axis("unit_id")
    names = ["unit_id", "kind", "recorded", "low", "high", "predicted"]
    return units, pd.DataFrame(kinds, columns=names)


def log_gain(first: pd.Series, second: pd.Series) -> tuple[float, float]:
    """Log of the ratio of mean counts and error (delta method); half a count is added to each sum."""
    both = first.notna() & second.notna()
    a, b, n = first[both], second[both], int(both.sum())
    ma, mb = a.mean() + 0.5 / n, b.mean() + 0.5 / n
    error = np.sqrt(max((a / ma - b / mb).var(ddof=1), 1e-12) / n) if n > 1 else np.nan
    return float(np.log(ma / mb)), float(error)


def matrix(responses: Responses, shown: StimulusSet, *, seed: int = 0) -> tuple[pd.DataFrame, dict]:
    """Response of every unit to every unit's MEI, and whether each is driven most by its own.

    Returns
    -------
    recorded : DataFrame
        Mean counts less those to grey; a row per unit that was found again, a column per MEI of a
        unit with stimuli.
    scalars : dict
        n (units), first (number whose own MEI evokes the largest response), expected_first (by chance),
        median_rank (of the own MEI), p (of the mean rank, if MEIs were dealt out at random).
    """
    means = by_block(responses, shown).groupby(level=1).mean()
    meis = shown.table[shown.table.kind == "mei"].reset_index().set_index("unit_id").file
    recorded = (means.loc[meis] - means.loc["blank.png"]).T.set_axis(meis.index, axis=1)
    ranks = recorded.rank(axis=1, ascending=False)
    rows, columns, ranks = np.arange(len(ranks)), ranks.columns.get_indexer(ranks.index), ranks.to_numpy()
    own, rng = ranks[rows, columns], np.random.default_rng([seed, 20])
    null = [ranks[rows, rng.permutation(columns)].mean() for _ in range(SHUFFLES)]
    p = permutation_p(np.array([-own.mean()]), -np.array(null)[:, None])[0] if len(rows) > 1 else np.nan
    return recorded.rename_axis(index="unit_id", columns="mei_of"), {
        "n": len(own),
        "first": int((own == 1).sum()),
        "expected_first": len(own) / len(meis),
        "median_rank": float(np.median(own)),
        "p": float(p),
    }


def pooled(values: np.ndarray, errors: np.ndarray, groups=None) -> dict:
    """Mean over units, and over sessions, of measurements (n,) that have errors of their own.

    Units are a random sample whose true values differ (standard deviation tau); with several sessions
    (`groups`: that of each) their means are pooled the same way, for units of one session have more in
    common. t interval after Hartung and Knapp.

    Returns
    -------
    dict
        mean, low, high, tau (between units, or sessions), n, sessions.

    References
    ----------
    DerSimonian & Laird, Control Clin Trials 7:177 (1986); Hartung & Knapp, Stat Med 20:1771 (2001).

    Examples
    --------
    >>> found = pooled(np.array([1.0, 1.2, 0.8]), np.array([0.1, 0.1, 0.1]))
    >>> round(found["mean"], 6), found["n"]
    (1.0, 3)
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    kept = np.isfinite(values) & (errors > 0)
    groups = np.zeros(len(values), int) if groups is None else np.asarray(groups)
    values, errors, groups = values[kept], errors[kept], groups[kept]
    names = list(dict.fromkeys(groups.tolist()))
    if len(names) > 1:
        parts = pd.DataFrame([_random_effects(values[groups == g], errors[groups == g]) for g in names])
        whole = _random_effects(parts["mean"].to_numpy(), parts["error"].to_numpy())
    else:
        whole = _random_effects(values, errors)
    return {k: whole[k] for k in ("mean", "low", "high", "tau")} | {"n": len(values), "sessions": len(names)}


def _random_effects(values, errors):
    n, weights = len(values), errors**-2.0
    if n == 0:
        return dict.fromkeys(("mean", "low", "high", "tau", "error"), np.nan)
    fixed = (weights * values).sum() / weights.sum()
    q = (weights * (values - fixed) ** 2).sum()
    spread = weights.sum() - (weights**2).sum() / weights.sum()
    tau2 = max((q - (n - 1)) / spread, 0.0) if n > 1 else 0.0
    weights = 1 / (errors**2 + tau2)
    mean = (weights * values).sum() / weights.sum()
    if n == 1:
        error, t = errors[0], stats.norm.ppf((1 + LEVEL) / 2)
    else:
        scatter = (weights * (values - mean) ** 2).sum() / (n - 1)
        error, t = np.sqrt(max(scatter, 1.0) / weights.sum()), stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return {"mean": mean, "low": mean - t * error, "high": mean + t * error, "tau": tau2**0.5, "error": error}


def shares(units: pd.DataFrame) -> pd.DataFrame:
    """Outcomes by the verdict of before: numbers, and the share confirmed with Wilson's interval."""
    rows = {}
    for word, group in units.groupby("before", sort=False):
        n, good = len(group), int((group.outcome == "confirmed").sum())
        z2 = stats.norm.ppf((1 + LEVEL) / 2) ** 2
        middle, half = good + z2 / 2, np.sqrt(z2 * good * (n - good) / n + z2**2 / 4)
        rows[word] = {name: int((group.outcome == name).sum()) for name in OUTCOMES} | {
            "n": n,
            "share": good / n,
            "low": (middle - half) / (n + z2),
            "high": (middle + half) / (n + z2),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("before")
