"""Gabor patches in a response model: the best one, the one fitted to an image, the comparison."""
