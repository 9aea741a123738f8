"""What a page says of stimuli that were measured."""

import numpy as np


def describe_spectra(mei, gabor, *, turn):
    """Say where the spectra of the MEI and the best Gabor peak, and how they differ.

    `mei`, `gabor`: of `lib.stimuli.metrics.stimulus_metrics`; `turn`: degrees between their orientations.
    """
    octaves = abs(np.log2(mei["spatial_frequency"] / gabor["spatial_frequency"]))
    return (
        f"The spectrum of the MEI peaks at {mei['spatial_frequency']:.3f} cycles per degree and an "
        f"orientation of {mei['orientation']:.1f} degrees; the peak of the best Gabor's spectrum lies "
        f"{octaves:.2f} octaves and {turn:.1f} degrees away. One-fold symmetry, which is 1 for a single "
        f"orientation and 0 for none, is {mei['symmetry_1']:.2f} for the MEI and {gabor['symmetry_1']:.2f} "
        "for the best Gabor."
    )


def describe_published_symmetry(measured, published):
    """Say how far the mean of the image hides what distinguishes two stimuli in the original's index.

    Both: metrics of the MEI and of the best Gabor, `measured` of `lib.stimuli.metrics.stimulus_metrics` and
    `published` of `lib.original.metrics.published_metrics`.
    """
    ours, original = (abs(mei["symmetry_1"] - gabor["symmetry_1"]) for mei, gabor in (measured, published))
    return (
        "The original's symmetry index includes the mean of the image, which here makes up "
        f"{100 * published[0]['dc_share']:.0f} % of its sum: in that index the masked MEI and the best Gabor "
        f"differ by {original:.3f}, in ours, which excludes the mean, by {ours:.3f}."
    )
