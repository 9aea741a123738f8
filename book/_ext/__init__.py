"""What builds the site of a run: its pages, figures, functions, and the PDF."""
