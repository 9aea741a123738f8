"""The next experiment: stimuli out, responses back, and what they say of each prediction."""
