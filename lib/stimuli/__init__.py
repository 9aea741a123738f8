"""Images as stimuli: patterns in degrees, mean and contrast, and what is measured of an image."""
