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
        f"With {counted(repeats, 'repeat')}, each MEI should be told from the best natural image and from the MEIs "
        "of other units with a chance of at least 80 %, if the predictions hold."
    )


def readme(screen, shape, degrees, order, plan, repeats, minutes):
    """Return the README of the folder of stimuli."""
    h, w = screen.size_of(shape, degrees)
    took = (order.onset_s.iloc[-1] + order.duration_s.iloc[-1]) / 60
    return f"""# Stimuli for the next experiment

Set {order["set"].iloc[0]}: {counted(order.file.nunique(), "picture")} for {counted(len(plan), "unit")}, shown
in {counted(repeats, "pass", "passes")} of random order, {took:.1f} of the {minutes:g} minutes allowed.
{untold(plan, repeats)}

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
the presentations that were recorded, `counts` (n, units) and `unit_ids` (units,), the ids of that day. And a
table `units.csv` with the columns unit_id (of this run) and next_unit_id (of that day; empty: lost). Then, in
the declaration of the run:

    loop: {{responses: responses.npz, units: units.csv}}

and `make report`. An NWB file or a folder of responses are read as well: see the chapter "The next experiment".
"""
