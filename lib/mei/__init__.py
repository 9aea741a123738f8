"""Most exciting inputs: search, mask, verdict, and what they are worth in truth."""
