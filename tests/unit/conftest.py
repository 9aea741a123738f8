"""Property tests draw the same examples in every run, and keep nothing on disk."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, database=None, deadline=None, max_examples=40)
settings.load_profile("same")
