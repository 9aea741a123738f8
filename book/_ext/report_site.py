"""What this book needs of Sphinx beyond its extensions: an extension of its own, listed in _config.yml."""

import functools

import pybtex.plugin
from docutils import nodes
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


def fold_chapters(app, doctree, name):
    """Let the chapters of a neuron's page be folded: what was found stands above them."""
    if not name.startswith("units/") or name == "units/code":
        return
    for page in doctree.findall(nodes.section):
        for chapter in [part for part in page.children if isinstance(part, nodes.section)]:
            title = chapter.index(chapter.next_node(nodes.title))
            chapter.insert(title + 1, nodes.raw("", "</summary>", format="html"))
            chapter.insert(title, nodes.raw("", '<details class="chapter"><summary>', format="html"))
            chapter.append(nodes.raw("", "</details>", format="html"))
        return


def scripts_after_the_page(app, page, template, context, doctree):
    """Let a page's words be shown before its scripts are read, but for those that scripts in the page use."""
    for script in context["script_files"]:
        name = getattr(script, "filename", None)
        if name and not name.endswith(("documentation_options.js", "doctools.js")):
            script.attributes["defer"] = "defer"


def setup(app):
    """Add to Sphinx what is above, and let it read and write pages in several processes.

    The numbering of chapters runs in the main process, after all pages are read; its extension is safe
    but does not say so, and Sphinx would therefore read in one process, with a warning. Pybtex searches
    all installed packages for its plugins at each citation; once is enough, but there is no setting for it.
    """
    app.setup_extension("sphinx_multitoc_numbering")
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    app.connect("doctree-resolved", fold_chapters)
    app.connect("html-page-context", scripts_after_the_page)
    app.add_domain(FormulasOfPages, override=True)
    app.add_search_language(EnglishStems)
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
