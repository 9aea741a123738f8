"""Benchmarks are scripts: they import each other from their own folder."""

import sys

from lib.files import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
