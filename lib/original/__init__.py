"""What the original report did: its algorithms, its printed values, and the audit."""
