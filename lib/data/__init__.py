"""Recordings: where they come from, their counts, and simulated sessions whose truth is known."""
