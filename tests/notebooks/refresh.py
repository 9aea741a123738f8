"""Store in the notebooks the outputs that the small run gave them.

python -m tests.notebooks.refresh
"""

import nbformat
import papermill

from lib.files import ROOT
from lib.params import load_params, run_folder

PARAMS = ROOT / "tests" / "small.yml"


def refresh(notebook, executed):
    """Give the cells of a notebook the outputs of the executed copy; cells are known by their ids."""
    done = {cell.id: cell for cell in executed.cells if cell.cell_type == "code"}
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.outputs, cell.execution_count = done[cell.id].outputs, count
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count
    return notebook


def main():
    run = run_folder(load_params(PARAMS))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        unit = papermill.inspect_notebook(str(path)).get("unit_id")
        folder = run / "units" / unit["default"] if unit else run / "notebooks"
        notebook = refresh(nbformat.read(path, 4), nbformat.read(folder / path.name, 4))
        path.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
