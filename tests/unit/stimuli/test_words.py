"""What was measured of MEI and Gabor is given to the right one of them."""

from lib.stimuli import words as stimulus_words

MEI = {"spatial_frequency": 0.05, "orientation": 70.0, "symmetry_1": 0.3}
GABOR = {"spatial_frequency": 0.1, "orientation": 80.0, "symmetry_1": 0.8}


def test_spectra_are_compared_in_octaves_and_degrees():
    """Fault: MEI and Gabor exchanged, or a negative distance for a Gabor of lower frequency."""
    text = stimulus_words.describe_spectra(MEI, GABOR, turn=10.0)
    assert "MEI peaks at 0.050 cycles per degree and an orientation of 70.0 degrees" in text
    assert "1.00 octaves and 10.0 degrees away" in text
    assert "0.30 for the MEI and 0.80 for the best Gabor" in text
    assert " 1.00 octaves" in stimulus_words.describe_spectra(GABOR, MEI, turn=10.0)


def test_the_two_symmetry_indices_are_not_exchanged():
    """Fault: our difference given as the original's, or the share of the mean as a fraction."""
    published = ({"symmetry_1": 0.991, "dc_share": 0.986}, {"symmetry_1": 0.99, "dc_share": 0.5})
    text = stimulus_words.describe_published_symmetry((MEI, GABOR), published)
    assert "makes up 99 % of its sum" in text
    assert "differ by 0.001, in ours, which excludes the mean, by 0.500." in text
