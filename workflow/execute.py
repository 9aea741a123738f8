"""Execute one notebook with parameters, as the pipeline does.

python -m workflow.execute FOLDER/05_mei.ipynb '{"run_folder": ...}' [--result RESULT.json]
"""

import argparse
import json
import os
import sys
from pathlib import Path

from workflow import warm
from workflow.run_notebook import label_of, run


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=os.path.abspath, help="executed copy; its name: which notebook")
    parser.add_argument("parameters", type=json.loads, help="JSON text")
    parser.add_argument("--result", type=os.path.abspath)
    request = vars(parser.parse_args())
    request["name"] = Path(request["output"]).stem
    print(f"{label_of(request['name'], request['parameters'])} ...", flush=True)
    code, line = warm.ask(request) or run(**request)
    print(line, flush=True, file=sys.stderr if code else sys.stdout)
    sys.exit(code)


if __name__ == "__main__":
    main()
