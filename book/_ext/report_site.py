"""What this book needs of Sphinx beyond its extensions: an extension of its own, listed in _config.yml."""

import functools

import pybtex.plugin
from sphinx.domains.math import MathDomain
from sphinx.search.en import SearchEnglish


class FormulasOfPages(MathDomain):
    """Formulas; MathJax is loaded by pages that have some, not by all above one in the contents."""

    def has_equations(self, docname=None):
        """Tell whether a page, or any page, has formulas."""
        return self.data["has_equations"].get(docname, False) if docname else super().has_equations()


class EnglishStems(SearchEnglish):
    """The language of the search's index; the stem of a word is worked out once, not wherever it stands."""

    def init(self, options):
        super().init(options)
        self.stem = functools.cache(self.stem)


def setup(app):
    """Add to Sphinx what is above, and let it read and write pages in several processes.

    The numbering of chapters runs in the main process, after all pages are read; its extension is safe
    but does not say so, and Sphinx would therefore read in one process, with a warning. Pybtex searches
    all installed packages for its plugins at each citation; once is enough, but there is no setting for it.
    """
    app.setup_extension("sphinx_multitoc_numbering")
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    app.add_domain(FormulasOfPages, override=True)
    app.add_search_language(EnglishStems)
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
