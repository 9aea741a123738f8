"""Recorded responses: raster, reliability, selection of neurons, receptive fields."""
