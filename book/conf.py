"""Sphinx's settings: what Jupyter Book makes of _config.yml, as `jupyter-book config sphinx` writes it.

Made anew when Sphinx starts, so that sphinx-build can be used with all of its options: Jupyter Book's own
command knows no number of processes.
"""

from pathlib import Path

from jupyter_book.config import get_final_config

_pages = Path(__file__).resolve().parent
_settings, _ = get_final_config(
    user_yaml=_pages / "_config.yml",
    sourcedir=_pages,
    cli_config={"external_toc_path": "_toc.yml", "latex_individualpages": False},
)
globals().update(_settings)
