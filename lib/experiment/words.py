"""The sentences of the next experiment, written from what the run computed."""

import numpy as np

from lib.words import counted, listed


def untold(plan, repeats):
    """Say what the time cannot tell apart, by `lib.experiment.schedule.repeats_needed`."""
    never = plan.index[~np.isfinite(plan.needs)].tolist()
    late = plan.index[np.isfinite(plan.needs) & (plan.needs > repeats)].tolist()
    said = []
    if late:
        said.append(
            f"In this time, {counted(repeats, 'repeat')} of every stimulus cannot tell the MEI of "
            f"{listed(late)} from what it is compared with (chance of success below 80 %)."
        )
    if never:
        said.append(
            f"For {listed(never)}, the models do not predict a larger response to the MEI than to the best "
            "natural image or to the MEIs of other units: no number of repeats will show one."
        )
    return " ".join(said) or (
        f"With {counted(repeats, 'repeat')}, each MEI should be told from the best natural image and from "
        "the MEIs of other units with a chance of at least 80 %, if the predictions hold."
    )


def counted_from(window, step):
    """Say when responses are counted; and if the window (s after onset) ends when the next stimulus is there.

    `step` is the time from one onset to the next, in s.
    """
    said = f"Responses are counted from {window[0]:g} to {window[1]:g} s after onset."
    if window[1] <= step:
        return said
    return (
        f"{said} **Warning: the next stimulus appears after {step:g} s, within this window, so that "
        f"responses to two stimuli mix.** `stimuli: {{gap: ...}}` of {window[1] - step:g} s more, in the "
        "declaration, keeps them apart."
    )


def readme(screen, shape, degrees, order, plan, repeats, minutes, counting):
    """Return the README of the folder of stimuli."""
    h, w = screen.size_of(shape, degrees)
    took = (order.onset_s.iloc[-1] + order.duration_s.iloc[-1]) / 60
    return f"""# Stimuli for the next experiment

Set {order["set"].iloc[0]}: {counted(order.file.nunique(), "picture")} for {counted(len(plan), "unit")}, shown
in {counted(repeats, "pass", "passes")} of random order, {took:.1f} of the {minutes:g} minutes allowed.
{untold(plan, repeats)}
{counting}

## Geometry and gamma
Each picture is a whole screen of {screen.width} x {screen.height} pixels, 8-bit grey. A pixel is
{screen.degrees_per_pixel:g} degrees. The image takes the middle {w} x {h} pixels; around it is the grey of
luminance {screen.grey:.4f}. Luminance 0 is black, 1 white. Grey value v stands for luminance
(v / 255) ** {screen.gamma:g}: the screen must do just that, with no further correction{
        "; a linearised screen does" if screen.gamma == 1 else ""
    }.
`stimuli.npz` holds the exact luminances: `images` (n, {shape[0]}, {shape[1]}) and `files` (n,), a pixel being
{degrees:.4f} degrees.

## Tables
`stimuli.csv`: set, file, unit_id (0: of no unit), kind, source (the unit whose MEI a control is, the id of a
scene), mean and contrast (standard deviation) of the luminance of the image, x, y (degrees, right and up of
the middle of the screen) and radius (degrees; holds 95 % of the squared deviation from grey), predicted
response with a 95 % interval (spikes in the count window), verdict on the MEI, sha256 of the picture.
`presentations.csv`: set, presentation, block, onset_s, duration_s, file. `plan.csv`: for each unit what is
predicted and how many repeats would tell it.

## To show them
`python show.py` with PsychoPy, which reads these tables and nothing else; any other program will do.

## To bring the responses back
A file `responses.npz` with `set` (the text above), `presentation` (n,), the numbers in presentations.csv of
the presentations that were recorded, `counts` (n, units), in the window above, and `unit_ids` (units,), the
ids of that day. And a
table `units.csv` with the columns unit_id (of this run) and next_unit_id (of that day; empty: lost). Then, in
the declaration of the run:

    loop: {{responses: responses.npz, units: units.csv}}

and `make report`. An NWB file or a folder of responses is read as well: see the chapter "Stimuli out,
responses back".
"""


def opened(loop):
    """Say what was shown, and whether anything was recorded."""
    if loop.shown is None:
        return f"*There are no stimuli for a next experiment: {loop.reason}.*"
    shown, plan = loop.shown, loop.shown.plan
    said = (
        f"There are {counted(len(shown.table), 'picture')} for "
        f"{counted(len(plan), 'unit')}. {untold(plan, int(plan.repeats.iloc[0]))}"
    )
    if not loop.answered:
        return (
            f"{said}\n\n*No responses have come back yet, so that the rest of this chapter is empty. `make "
            "stimuli` has written the folder that goes to the rig; its README.md says what to bring back and "
            "where to name it.*"
        )
    if loop.simulated:
        said += (
            "\n\n**The animal is simulated**, as the session is. On its next day some units are lost, "
            "firing rates have changed and receptive fields have moved by a degree or two; it is shown the "
            "exported pictures as a screen would show them. What follows shows how a closed loop looks, not "
            "that an animal agrees."
        )
    for recording in loop.recordings:
        lost = f"{listed(recording.lost)} lost" if recording.lost else "none lost"
        said += (
            f"\n\nIn {recording.name}, {recording.counts.shape[1]} of {len(loop.shown.units)} units were "
            f"found again ({lost}); {counted(recording.unpaired, 'unit')} of the recording "
            f"{'is' if recording.unpaired == 1 else 'are'} not of this run."
        )
    return said


def held(loop, units):
    """Say whether the units are the same and whether they drifted."""
    said = []
    for recording in loop.recordings:
        mine = units[units.session == recording.name]
        agreed, scenes = recording.agreement, (loop.shown.table.kind == "reference").sum()
        text = (
            f"In {recording.name}, the responses of the paired units to the "
            f"{scenes} scenes of both days correlate at {agreed.median():.2f} (median over units, lowest "
            f"{agreed.min():.2f})"
        )
        if np.isfinite(recording.pairing_p):
            text += f"; p = {recording.pairing_p:.2g} that units paired at random agree as well"
        moved = mine.index[mine.drift.abs() > 0.5].tolist()
        text += ". " + (
            f"Responses of {listed(moved)} drift over the blocks (rank correlation above 0.5)."
            if moved
            else "No unit's responses drift much over the blocks (no rank correlation above 0.5)."
        )
        said.append(text)
    return "\n\n".join(said)


RIVALS = {"image": "the best natural image in the mask", "others": "other units' MEIs in its place"}


def gains(units):
    """Say how much more the MEIs evoke than what they are compared with."""
    said = []
    for name, rival in RIVALS.items():
        if f"{name}_gain" in units and units[f"{name}_gain"].notna().any():
            above = int((units[f"{name}_low"] > 0).sum())
            below = int((units[f"{name}_high"] < 0).sum())
            said.append(
                f"The MEI evokes {units[f'{name}_gain'].median():.2f} times the response to {rival} "
                f"(median over units). By the 95 % intervals, it evokes more in {above} of "
                f"{len(units)} units and less in {below}."
            )
    return " ".join(said)


def pooled_gain(found):
    """Say what `lib.experiment.confirm.pooled` found for the log of the gain over the natural image."""
    if not np.isfinite(found["mean"]):
        return "No gain can be pooled over units."
    mean, low, high = np.exp([found["mean"], found["low"], found["high"]])
    over = "more than" if low > 1 else "less than" if high < 1 else "no more and no less than"
    sample = (
        f"{counted(found['n'], 'unit')} of {counted(found['sessions'], 'recording')}"
        if found["sessions"] > 1
        else f"{counted(found['n'], 'unit')} of one recording, so that it tells of no other animal"
    )
    return (
        f"Pooled over units, an MEI evokes {over} the best natural image: {mean:.2f} times its response "
        f"(95 % interval {low:.2f} to {high:.2f}; {sample})."
    )


def own_mei(found, name):
    """Say whether each unit is driven most by its own MEI (`lib.experiment.confirm.matrix`)."""
    verdict = (
        f"which chance does not explain (p = {found['p']:.2g})"
        if found["p"] < 0.05
        else f"which chance explains (p = {found['p']:.2g})"
        if np.isfinite(found["p"])
        else "with too few units to test"
    )
    return (
        f"In {name}, {found['first']} of {found['n']} units respond most to their own MEI; "
        f"{found['expected_first']:.1f} would by chance. The median rank of the own MEI is "
        f"{found['median_rank']:g}, {verdict}."
    )


def predicted(kinds):
    """Say how well recorded responses follow the predicted ones."""
    r = kinds[["predicted", "recorded"]].corr().iloc[0, 1]
    mei = kinds[kinds.kind == "mei"]
    ratio = (mei.recorded / mei.predicted).median()
    side = "less than" if ratio < 0.9 else "more than" if ratio > 1.1 else "about as"
    return (
        f"Over all stimuli and units, recorded and predicted responses correlate at {r:.2f}. Units "
        f"respond {side} predicted to the MEI (median ratio {ratio:.2f}); an MEI is the best of very many "
        "images, and its prediction is too high for that reason alone."
    )


def outcomes(shares):
    """Say how many MEIs were confirmed, by the verdict of before: a sentence each."""
    return [
        f"Of {counted(int(row.n), 'unit')} whose MEI was called *{word}*, the next experiment confirms "
        f"{row.confirmed:.0f}, refutes {row.refuted:.0f} and leaves {row.undecided:.0f} undecided "
        f"(confirmed: {100 * row.share:.0f} %, 95 % interval {100 * row.low:.0f} to {100 * row.high:.0f} %)."
        for word, row in shares.iterrows()
    ]


def shown_units(units):
    """Return the units with their outcomes as a page shows them."""

    def between(name):
        ends = zip(units[f"{name}_gain"], units[f"{name}_gain_low"], units[f"{name}_gain_high"])
        return [f"{value:.2f} ({low:.2f} to {high:.2f})" for value, low, high in ends]

    table = units[["before", "outcome"]].assign(mei=units.mei_recorded.map("{:.2f}".format))
    names = {"before": "verdict before", "outcome": "outcome", "mei": "response to the MEI"}
    for name, label in (("image", "gain over the natural image"), ("others", "gain over other units' MEIs")):
        if f"{name}_gain" in units:
            table[name] = between(name)
            names[name] = label
    return table.rename(columns=names).rename_axis("unit").reset_index().style.hide(axis="index")


def conclusions(loop, units, sentences):
    """Return the conclusions of the loop as a section of the chapter of conclusions, empty without one."""
    if not loop.answered:
        return ""
    whose = "a simulated animal" if loop.simulated else counted(len(loop.recordings), "recording")
    title = f"## The next experiment ({whose})"
    return "\n".join([f"\n{title}\n", *(f"- {text}" for text in sentences)]) + "\n"
