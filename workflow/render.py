"""HTML and Markdown from Jinja templates, which stand beside the code that fills them."""

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from lib.files import ROOT

TEMPLATES = Environment(
    loader=FileSystemLoader([ROOT / "workflow" / "templates", ROOT / "book" / "_ext" / "templates"]),
    autoescape=select_autoescape(["html.jinja"], default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}


def render(template, **values):
    """Return the text of a template, without a newline at its end.

    Parameters
    ----------
    template : str
        Name of the file. In one that ends in .html.jinja what is filled in is escaped; Markdown takes it
        as it is.
    **values
        Everything that the template names; what is missing is an error.
    """
    return TEMPLATES.get_template(template).render(values)
