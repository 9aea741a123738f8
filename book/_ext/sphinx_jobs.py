"""Jupyter Book's command line with a number of processes, which it does not offer itself.

python -m book._ext.sphinx_jobs JOBS build ...
"""

import functools
import sys

import jupyter_book.sphinx
import pybtex.plugin
import sphinx_multitoc_numbering
from jupyter_book.cli.main import main
from sphinx.domains.math import MathDomain
from sphinx.search.en import SearchEnglish


def with_jobs(jobs):
    """Make Jupyter Book read and write pages in `jobs` processes.

    The numbering of chapters runs in the main process, after all pages are read; its extension is
    safe but does not say so, and Sphinx would therefore read in one process, with a warning.
    Pybtex searches all installed packages for its plugins at each citation, and the search's index
    works out the stem of a word wherever it stands; once is enough. MathJax is loaded by pages that
    have formulas, not by all pages above one in the table of contents.
    """
    number_chapters = sphinx_multitoc_numbering.setup

    def setup(app):
        number_chapters(app)
        return {"parallel_read_safe": True, "parallel_write_safe": True}

    sphinx_multitoc_numbering.setup = setup
    build = functools.partial(jupyter_book.sphinx.build_sphinx, jobs=jobs)
    jupyter_book.sphinx.build_sphinx = build
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    SearchEnglish.stem = functools.cache(SearchEnglish.stem)
    MathDomain.has_equations = lambda self, page: self.data["has_equations"].get(page, False)


if __name__ == "__main__":
    with_jobs(int(sys.argv.pop(1)))
    main()
