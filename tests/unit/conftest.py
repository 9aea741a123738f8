"""Property tests draw the same examples in every run, and keep nothing on disk."""

from hypothesis import Phase, settings

settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
# for deliberate faults, of which it is enough to know that they are seen
settings.register_profile("unshrunk", settings.get_profile("same"), phases=[Phase.generate])
settings.load_profile("same")
