"""Models of the responses: fitted, cross-validated, combined."""
