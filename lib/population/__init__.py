"""All units of a run: their table, tests across them, and the conclusions."""
