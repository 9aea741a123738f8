"""One module per source of data: simulated, allen, nwb, arrays."""
