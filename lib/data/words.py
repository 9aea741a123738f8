"""What the page of the data says of a session."""

import numpy as np
import pandas as pd

from lib.data import counting
from lib.words import counted, listed

RESPONSES_ONLY = (
    "This source holds responses only: no spike times, blanks, recorded Gabors, gratings or movies."
)
SIZE_ASSUMED = (
    "The declaration gives no `degrees_per_pixel`: images are taken to be 94.8 degrees high, as those of "
    "the Allen Institute are. All sizes, places and spatial frequencies rest on this."
)
WINDOW_BEFORE = (
    "The window of the responses (`window_s`) ends before the image appears: they cannot be responses to it."
)
TRACES = "The responses are traces, not whole counts: they have no entropy of the count."
SEVERAL = (
    "This run pools several sessions: it uses their counts, without rasters and recorded Gabors, which "
    "belong to one session each."
)


def enlarged_note(rows, height):
    """Say that images of so many rows of pixels were enlarged to the height of the analysis."""
    return (
        f"The images have {rows} rows of pixels and are enlarged to the {height} of `data.image_height`, "
        f"which costs time and adds nothing: `data: {{image_height: {rows}}}` is enough."
    )


def once_note(repeats):
    """Say, in a list of one note, what images shown once are used for; no note if there are none.

    `repeats` (images,) says how often each image was shown.
    """
    once = int((repeats < 2).sum())
    if not once or once > len(repeats) - 2:
        return []
    return [
        f"{counted(once, 'image')} of {len(repeats):,} were shown once. All images train the models; "
        "reliability, ceilings, the selection of units and the scores of predictions rest on the "
        f"{len(repeats) - once:,} that were repeated."
    ]


def shift_note(lowest):
    """Say of how many units the responses (lowest of each, (units,) array) were shifted, and why."""
    below = lowest < 0
    return (
        f"The responses of {int(below.sum()):,} of {counted(len(lowest), 'unit')} dip below zero (lowest "
        f"{lowest.min():.3g}). Each of these is shifted by its own lowest response, since the models predict "
        "responses that are not negative; correlations do not change, but the sparseness of these units has "
        "no zero to start from."
    )


def quality_note(failing, total, name):
    """Say how many units of a file AllenSDK's default quality filter leaves out."""
    return f"{failing} of {total} units in {name} fail AllenSDK's default quality filter and are left out."


def download_note(fetched, size):
    """Say how much of a file (bytes) was read over http."""
    return f"Read over http: {fetched / 1e6:.1f} MB of {size / 1e6:.1f} MB."


def no_metrics_note(error):
    """Say that the Allen Institute's figures of the units could not be fetched."""
    return f"The Allen Institute's own figures of these units (receptive field, tuning) are missing: {error}."


def overlap_note(window, number):
    """Say in how many presentations the count window (start, stop in s) reaches into the next one."""
    start, stop = window
    return (
        f"The count window ({start:g} to {stop:g} s after onset) of {number:,} presentations reaches into "
        "the next one."
    )


def without_structure_note(units, total, name):
    """Say how many units of a file AllenSDK places in no structure."""
    return f"{units} of {total} units in {name} lie in no structure of the brain and are left out."


def invalid_warning(invalid, stimulus):
    """Say how many presentations are left out because of invalid times.

    `invalid` is bool (presentations, units), `stimulus` a Series of the name of each presentation's stimulus.
    """
    rows, units = invalid.any(axis=1), invalid.any(axis=0)
    whose = "all units" if units.all() else f"{units.sum()} of {counted(len(units), 'unit')}"
    scenes = int((rows & (stimulus == "natural_scenes").to_numpy()).sum())
    return (
        f"{counted(int(rows.sum()), 'presentation')}, {scenes:,} of them of natural scenes, lie in times "
        f"that the file marks as invalid for {whose}, and are left out for them."
    )


def masked_note(number):
    """Say how many presentations AllenSDK takes out because the stimulus itself is marked as invalid."""
    return f"The stimulus is marked as invalid in {counted(number, 'presentation')}, which are left out."


def unknown_tags_warning(tags):
    """Say which tags of invalid times are not understood."""
    return (
        f"Invalid times are tagged {listed(tags)}, which names no probe of the units: they are not left out."
    )


def same_images_warning(images, different):
    """Say how many pictures stand under several ids."""
    return (
        f"The {images} images show {different} different pictures: those with the same pixels are treated as "
        "one image, shown more often."
    )


def similar_images_warning(images, different):
    """Say how many images are nearly the same as another."""
    return (
        f"Of {images} images {images - different} are nearly the same as another one. They are kept "
        "in one fold, so that no model is tested on a picture that it has learned from."
    )


def withheld_warning(silent, total):
    """Say how many presentations have no response at all."""
    return (
        f"In {silent:,} of {total:,} presentations the response of every unit is 0, too often for "
        "chance: were these responses withheld?"
    )


def axes_warning(here, there):
    """Say that counts make more sense with their axes in another order."""
    return (
        "Responses would be more reliable with repeats and images exchanged (split-half correlation "
        f"{there:.2f} instead of {here:.2f}): is the order of the axes (repeats, images, units)?"
    )


def overlapping_warning(number):
    """Say how many presentations begin before the one before them has half passed."""
    return (
        f"{counted(number, 'presentation')} begin before half of the one before has passed: are these "
        "listed twice?"
    )


def silence_warning(start, stop, number):
    """Say during which presentations no unit fires."""
    return (
        f"No unit fires from {start:.0f} to {stop:.0f} s, during {counted(number, 'presentation')}, too "
        "long for chance: did the recording pause? Their counts are taken as 0."
    )


def describe_session(session, *, structure):
    """Say what a session holds in the areas `structure`, and below it every note of its source."""
    repeats, images, units = session.counts.shape
    text = (
        f"Session **{session.name}** (source *{session.source}*) has **{counted(units, 'unit')}** in "
        f"{listed(np.atleast_1d(structure))}"
    )
    shown = f"{counted(images, 'image')}, each shown up to {counted(repeats, 'time')}"
    if session.spike_times is None:
        text += f" and {shown}. It provides {'traces' if session.traces else 'counts'}, but no spike times."
    else:
        spikes = sum(map(len, session.spike_times))
        text += (
            f", which fired {counted(spikes, 'spike')}. Its {len(session.presentations):,} presentations of "
            f"all stimuli include {shown}."
        )
    text += "".join(f"\n\n**Warning: {warning}**" for warning in session.warnings)
    return text + "".join(f"\n\n*{note}*" for note in session.notes)


def shown_structures(structures, analysed):
    """Number of units of each structure of a recording, and whether it is analysed, as a page shows them."""
    rows = [
        (name, units, "yes" if name in np.atleast_1d(analysed) else "no")
        for name, units in structures.items()
    ]
    return pd.DataFrame(rows, columns=["structure", "units", "analysed"]).style.hide(axis="index")


def describe_quality(quality):
    """Say how many quality metrics, the columns of a table of units, a source provides."""
    if not len(quality.columns):
        return "This source provides no quality metrics."
    return f"The source provides {counted(len(quality.columns), 'quality metric')} per unit."


def describe_timeline(presentations):
    """Say in how many blocks the stimuli were shown, and for how long; None: no presentations are known."""
    if presentations is None:
        return "This source provides no presentation times."
    blocks = counting.session_blocks(presentations)
    minutes = (blocks.stop_time.max() - blocks.start_time.min()) / 60
    return (
        f"The session comprises {counted(len(blocks), 'block')} of "
        f"{counted(blocks.stimulus_name.nunique(), 'stimulus', 'stimuli')} in {minutes:.1f} minutes."
    )


def describe_images(session):
    """Say how large the images of a session are, how bright, and of which contrast."""
    height, width = session.images.shape[1:]
    degrees = session.degrees_per_pixel
    return (
        f"The images measure {height} x {width} pixels of {degrees:.3f} degrees and cover "
        f"{height * degrees:.0f} x {width * degrees:.0f} degrees of the visual field, at their original "
        f"aspect ratio. Their mean luminance is {session.mean_luminance:.3f} on a scale from 0 (black) to "
        f"1 (white), and C*, the mean of their standard deviations, is {session.target_contrast:.4f}."
    )


def describe_count_window(response, *, window):
    """Say when the responses depend on the image, and how much of that the count window contains.

    `response` is what `lib.data.counting.latency_histogram` returns, None without spike times; `window` is
    that of the counts, s after onset.
    """
    start, stop = (1000 * edge for edge in window)
    if response is None:
        return (
            "This source provides no spike times; its responses were measured from "
            f"{start:g} to {stop:g} ms after image onset."
        )
    histogram, onset, end = response
    if not np.isfinite(onset):
        return "At no time after image onset does the signal exceed the noise."
    share, from_onset = (
        100 * counting.signal_share(histogram, *edges) for edges in (window, (0, window[1] - window[0]))
    )
    return (
        f"The responses depend on the image from {1000 * onset:.0f} to {1000 * end:.0f} ms after its onset. "
        f"The count window, {start:.0f} to {stop:.0f} ms, contains {share:.0f} % of the signal; a window of "
        f"the same length that opens at image onset, as in the original report, contains {from_onset:.0f} %."
    )


def describe_check(theirs, ours):
    """Say in how many values AllenSDK's counts (presentations, units) differ from ours."""
    return (
        "The counts that AllenSDK makes (`presentationwise_spike_counts`) differ from this table in "
        f"{int((theirs != ours).sum()):,} of {theirs.size:,} values."
    )


def describe_zeros(share, *, traces=False):
    """Say which share of all counts is zero, and what a table without them distorts."""
    if traces:
        return "The responses are traces in arbitrary units (a.u.): no value on these pages counts spikes."
    return (
        f"Of all counts, one per presentation and unit, {100 * share:.1f} % are zero. The original report "
        "computed the oracle correlation from a table of the presentations with spikes only. Such a table "
        "loses the zeros, which inflates the mean of every unit that is ever silent."
    )


def describe_tables(tables):
    """Say which tables, by the names of the files without their ending, were written next to the session."""
    files = listed(f"`{name}.csv` ({counted(len(table), 'row')})" for name, table in tables.items())
    return f"The run's folder now also contains {files}."
