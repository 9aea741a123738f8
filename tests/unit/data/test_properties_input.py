"""Whatever stands in a file of the reader's, the answer is a result or one line, never a traceback."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lib.data import conditions, counting, shown_images
from lib.data.recording import Recording
from lib.data.session import from_recording
from lib.data.sources import arrays
from lib.errors import InputError
from lib.params import DEFAULTS, SESSIONS, is_valid, load_params, notebook_parameters, parameter_rules
from lib.stages import STAGES

DECLARED = yaml.safe_load(DEFAULTS.read_text())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(),
    st.text(max_size=6),
    st.dates(),
    st.binary(max_size=4),
    st.sampled_from(["selected", "arrays", "allen", "nwb", "v1"]),
)
SESSION_KEYS = sorted(
    {
        key
        for rule in SESSIONS.values()
        for form in rule.get("anyOf", ())
        for key in form.get("properties", ())
    }
)
RULES = {name: rule for name, rule in parameter_rules() if name not in ("session", "per_unit")}
KEYS = st.one_of(
    st.sampled_from([*DECLARED, *SESSION_KEYS, *(name.split(".")[-1] for name in RULES)]),
    st.integers(0, 9),
    st.text(max_size=4),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


def one_line(read, *arguments, **options):
    """Return what was read, or None after a refusal in one line."""
    try:
        return read(*arguments, **options)
    except InputError as error:
        text = str(error)
        assert text and "\n" not in text and len(text) < 2000, text
        return None


def written(content, name="my.yml"):
    path = Path(tempfile.mkdtemp()) / name
    path.write_bytes(content)
    return path


# ---- the declaration of a run -------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(list(DECLARED)), TREES, max_size=4))
def test_any_declaration_is_a_run_or_one_line(content):
    """Fault: a value of another type, depth or size that ends in a traceback, now or in a stage."""
    params = one_line(load_params, written(yaml.safe_dump(content).encode()))
    if params is not None:
        assert set(params) == set(DECLARED)
        for stage in STAGES:
            assert notebook_parameters(params, stage)["run_folder"]


@given(st.sampled_from(sorted(RULES)), SCALARS | st.lists(SCALARS, max_size=2))
def test_any_value_of_a_parameter_is_in_range_or_refused(name, value):
    """Fault: NaN, infinity or a boolean that passes for a number."""
    stage, _, key = name.rpartition(".")
    content = {stage: {key: value}} if stage else {key: value}
    params = one_line(load_params, written(yaml.safe_dump(content).encode()))
    if params is not None:
        assert is_valid(params[stage][key] if stage else params[key], RULES[name])


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_no_declaration(content):
    """Fault: text that YAML or UTF-8 cannot read."""
    one_line(load_params, written(content))


# ---- arrays -------------------------------------------------------------------------------------


def dtypes():
    return st.sampled_from(["f4", "f8", "i4", "u1", "u8", "bool", "U3", "S3", "c8", "M8[s]"])


def any_array():
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
    return dtypes().flatmap(lambda kind: hnp.arrays(kind, shapes))


def mostly(good, names):
    """A file that would do, with some of its arrays left out or replaced by any others."""
    return st.fixed_dictionaries(
        {}, optional={name: st.just(good.get(name, np.int64(0))) | any_array() for name in names}
    )


GOOD = {
    "counts": np.ones((2, 3, 2)),
    "unit_ids": np.arange(2),
    "image_ids": np.arange(3),
    "window_s": np.array([0.05, 0.3]),
    "structures": np.array(["V1", "V1"]),
    "images": np.full((3, 16, 20), 0.5),
    "degrees_per_pixel": np.array(1.0),
}


def npz(content):
    path = Path(tempfile.mkdtemp()) / "a.npz"
    np.savez(path, **content)
    return path


@given(
    mostly(GOOD, ["counts", "unit_ids", "image_ids", "window_s", "structures"]),
    mostly(GOOD, ["images", "degrees_per_pixel"]),
)
def test_any_arrays_are_a_recording_or_one_line(table, images):
    """Fault: another type or shape that breaks in the middle, or is taken for a recording."""
    files = {"counts": str(npz(table)), "images": str(npz(images))}
    shown = one_line(shown_images.read_templates, files["images"])
    assert shown is None or (shown["degrees_per_pixel"] > 0 and shown["images"].dtype == np.float32)
    read = one_line(arrays.load, files, folder=None, structure="V1")
    if read is not None:
        assert isinstance(read, Recording) and len(read.images) == read.counts.shape[1]
        assert read.degrees_per_pixel > 0 and read.count_window[0] < read.count_window[1]
        session = from_recording(read, latency=0.05, duration=0.25, image_height=4)
        assert session.counts.shape[2] == len(session.units)


@given(st.binary(max_size=80))
def test_any_bytes_are_no_arrays(content):
    """Fault: a cut or foreign file that numpy or zipfile trips over."""
    for head in (b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00"):
        path = written(head + content, "a.npz")
        one_line(arrays.read_npz, path, ("counts",))
        one_line(shown_images.read_templates, path)
        one_line(arrays._read_npy, path, 1)


@given(
    st.lists(any_array(), min_size=1, max_size=3),
    st.lists(any_array(), min_size=1, max_size=3),
    st.none() | any_array(),
    st.none() | any_array(),
)
def test_any_folder_of_trials_is_a_recording_or_one_line(images, responses, ids, tiers):
    """Fault: trials of other shapes, names that do not fit the responses."""
    folder = Path(tempfile.mkdtemp())
    for part, values in (("data/images", images), ("data/responses", responses)):
        (folder / part).mkdir(parents=True)
        for trial, value in enumerate(values):
            np.save(folder / part / f"{trial}.npy", value)
    for name, values in (("meta/neurons/unit_ids.npy", ids), ("meta/trials/tiers.npy", tiers)):
        if values is not None:
            (folder / name).parent.mkdir(parents=True)
            np.save(folder / name, values)
    for chosen in ((), ("test",)):
        one_line(arrays.read_static, folder, tiers=chosen)


# ---- tables of stimuli --------------------------------------------------------------------------

CELLS = st.one_of(st.none(), st.integers(-2, 5), st.floats(), st.sampled_from(["null", "3.0", "left", ""]))


@given(
    st.lists(
        st.tuples(st.sampled_from(["natural_scenes", "gabors", "spontaneous"]), CELLS, CELLS, CELLS),
        max_size=8,
    )
)
def test_any_table_of_stimuli_is_counted_or_one_line(rows):
    """Fault: a frame that is text, NaN or infinite; Gabors without a place."""
    names = ["stimulus_name", "frame", "x_position", "orientation"]
    table = pd.DataFrame(rows, columns=names, dtype=object).assign(
        start_time=np.arange(len(rows), dtype=float), y_position=0.0
    )
    table["stop_time"] = table.start_time + 1.0
    values = np.ones((len(rows), 2))
    found = one_line(counting.scene_counts, values, table)
    if found is not None:
        assert (
            np.nansum(found[0]) + (0 if found[1] is None else found[1].sum())
            == 2 * (table.stimulus_name == "natural_scenes").sum()
        )
    means = one_line(conditions.condition_means, values, table)
    assert means is None or (means == 1).all(axis=None)
