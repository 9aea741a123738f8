"""The door through which recorded responses come back, simulated ones too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lib.data import counting
from lib.data.session import Session
from lib.data.sources.arrays import read_npz
from lib.errors import InputError
from lib.experiment.folder import StimulusSet
from lib.params import nearest
from lib.statistics import permutation_p

PAIRS_FOR_A_CHECK = 6  # with fewer a wrong table of units cannot be told from a right one
SHUFFLES = 2000


@dataclass(frozen=True)
class Responses:
    """What one recording answered to a set of stimuli.

    Attributes
    ----------
    name : str
        Of the file.
    counts : DataFrame
        Index presentation; a column per unit that was found again, by its id in the run.
    lost : list of int
        Units that were not found again.
    unpaired : int
        Units of the recording that the run does not know.
    agreement : Series or None
        Of each unit: correlation over the reference scenes of its mean counts before and now.
    pairing_p : float
        Of the mean agreement, if units were paired at random; NaN with too few of them.
    """

    name: str
    counts: pd.DataFrame
    lost: list
    unpaired: int
    agreement: pd.Series
    pairing_p: float


def read_responses(
    path: Path | str, units: Path | str, shown: StimulusSet, session: Session, *, seed: int = 0
) -> Responses:
    """Read responses to a set of stimuli, and pair their units with those of the run.

    Parameters
    ----------
    path : Path
        .npz with `set`, `presentation` (n,), `counts` (n, units), `unit_ids` (units,); a folder with set.txt,
        data/responses/<presentation>.npy (units,) and meta/neurons/unit_ids.npy; or an NWB file with
        units (id, spike_times) and a table of intervals with start_time, presentation and set.
    units : Path
        CSV with the columns unit_id (of the run) and next_unit_id (of the recording, empty: lost).
    session : Session
        Of the run: its count window, and what its units answered to the reference scenes.

    Raises
    ------
    InputError
        One line: what does not fit, such as responses to another set or units that are paired wrongly.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"loop.responses: {path} is not there; see stimuli/README.md for what it holds")
    read = _read_folder if path.is_dir() else _read_nwb if path.suffix == ".nwb" else _read_npz
    name, numbers, counts, ids = read(path, session.window)
    _check(path.name, name, numbers, counts, ids, shown)
    lowest = counts.min(axis=0)
    if lowest.min() < 0 and not session.traces:
        raise InputError(
            f"{path.name}: counts hold negative values; this run's responses are counts of spikes"
        )
    counts = counts - np.minimum(lowest, 0)  # as traces of the run's own recording are shifted
    pairs = _read_units(Path(units), ids, path.name, shown)
    found = pairs.dropna().astype(int)
    where = pd.Index(ids).get_indexer(found.next_unit_id)
    table = pd.DataFrame(counts[:, where].astype(float), index=numbers, columns=found.unit_id.to_numpy())
    agreement, p = pairing(table, shown, session, seed=seed)
    if len(agreement) >= PAIRS_FOR_A_CHECK and not p < 0.01:
        raise InputError(
            f"{Path(units).name}: the units that it pairs answer the same "
            f"{(shown.table.kind == 'reference').sum()} scenes no more alike (correlation "
            f"{agreement.mean():.2f}) than units paired at random (p = {p:.2g}); pair the units that are the "
            "same, and leave out those that may not be"
        )
    lost = [unit for unit in shown.units if unit not in table]
    return Responses(path.name, table, lost, len(ids) - len(found), agreement, p)


def _read_npz(path, _):
    file = read_npz(path, ("set", "presentation", "counts", "unit_ids"))
    return str(file["set"]), file["presentation"], file["counts"], file["unit_ids"]


def _read_folder(path, _):
    files = sorted((path / "data" / "responses").glob("*.npy"), key=lambda f: (len(f.stem), f.stem))
    ids, said = path / "meta/neurons/unit_ids.npy", path / "set.txt"
    if not files or not all(f.stem.isdigit() for f in files) or not ids.is_file() or not said.is_file():
        raise InputError(
            f"{path.name}: expected set.txt, data/responses/<presentation>.npy and "
            "meta/neurons/unit_ids.npy in it"
        )
    try:
        rows = [np.load(file, allow_pickle=False) for file in files]
        return said.read_text().strip(), np.array([int(f.stem) for f in files]), np.stack(rows), np.load(ids)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path.name}: responses cannot be read ({error})") from None


def _read_nwb(path, window):
    try:
        with h5py.File(path) as file:
            ids, spikes = file["units/id"][()], file["units/spike_times"][()]
            ends = file["units/spike_times_index"][()].astype(int)
            table = next((t for t in file["intervals"].values() if {"presentation", "set"} <= set(t)), None)
            if table is None:
                raise KeyError("intervals with columns presentation and set")
            numbers, starts = table["presentation"][()].astype(int), table["start_time"][()]
            sets = set(table["set"].asstr()[()])
    except (OSError, KeyError, TypeError) as error:
        raise InputError(f"{path.name}: no such responses in it: {error}".replace("\n", " ")) from None
    times = np.split(spikes, ends[:-1])
    counts = counting.count_spikes(times, starts=starts + window[0], stops=starts + window[1])
    return " and ".join(sorted(sets)), numbers, counts, ids


def _check(file, name, numbers, counts, ids, shown):
    if name != shown.name:
        raise InputError(
            f"{file} holds responses to stimulus set {name}, stimuli/ of this run is set {shown.name}; "
            "give the responses to this set, or the run that made the other"
        )
    if counts.ndim != 2 or counts.shape != (len(numbers), len(ids)) or counts.dtype.kind not in "iuf":
        raise InputError(
            f"{file}: counts must be numbers (presentations, units) = ({len(numbers)}, {len(ids)}), got "
            f"{counts.dtype} of shape {counts.shape}"
        )
    if len(set(numbers.tolist())) < len(numbers) or len(set(ids.tolist())) < len(ids):
        raise InputError(f"{file}: a presentation or a unit id stands in it twice; name each once")
    known = set(shown.presentations.presentation)
    if odd := sorted(set(numbers.tolist()) - known):
        raise InputError(
            f"{file}: presentation {odd[0]} is not in presentations.csv, which ends at {max(known)}"
        )
    never = set(shown.table.index) - set(shown.presentations.set_index("presentation").file[numbers])
    if never:
        raise InputError(
            f"{file}: {len(never)} of the {len(shown.table)} stimuli have no response, such as "
            f"{min(never)}; record every stimulus of stimuli.csv at least once"
        )
    if not np.isfinite(counts).all():
        raise InputError(f"{file}: counts hold missing values; leave such presentations out")


def _read_units(path, ids, file, shown):
    if not path.is_file():
        raise InputError(f"loop.units: {path} is not there; a CSV with the columns unit_id and next_unit_id")
    try:
        pairs = pd.read_csv(path)
        missing = {"unit_id", "next_unit_id"} - set(pairs)
        pairs = None if missing else pairs[["unit_id", "next_unit_id"]].astype("Int64")
    except (ValueError, TypeError, pd.errors.ParserError):
        raise InputError(
            f"{path.name}: unit ids must be whole numbers, next_unit_id empty for a lost unit"
        ) from None
    if missing:
        raise InputError(f"{path.name}: needs the column {min(missing)}")
    found = pairs.dropna()
    if found.unit_id.duplicated().any() or found.next_unit_id.duplicated().any():
        raise InputError(f"{path.name}: a unit is paired twice; pair each with one")
    for unit in found.next_unit_id:
        if unit not in ids:
            raise InputError(f"{path.name}: unit {unit} is not in {file}; {nearest(unit, ids)}")
    for unit in found.unit_id:
        if unit not in shown.units:
            raise InputError(
                f"{path.name}: unit {unit} has no stimuli in this set; {nearest(unit, shown.units)}"
            )
    if len(found) == 0:
        raise InputError(f"{path.name}: no unit was found again, so nothing can be compared")
    return pairs


def pairing(
    counts: pd.DataFrame, shown: StimulusSet, session: Session, *, seed: int
) -> tuple[pd.Series, float]:
    """Each unit's correlation over the reference scenes between both days, and p.

    p is the share of random pairings whose mean correlation is as large.
    """
    scenes = shown.table[shown.table.kind == "reference"]
    rows = pd.Index(session.image_ids).get_indexer(scenes.source)
    columns = [session.unit_index(unit) for unit in counts]
    before = np.nanmean(session.counts[:, rows][:, :, columns], axis=0)
    file = shown.presentations.set_index("presentation").file.reindex(counts.index)
    now = counts.groupby(file.to_numpy()).mean().loc[scenes.index].to_numpy()
    both = [np.nan_to_num((v - v.mean(0)) / np.where(v.std(0) > 0, v.std(0), 1)) for v in (before, now)]
    alike = both[0].T @ both[1] / len(rows)
    rng, n = np.random.default_rng([seed, 19]), len(columns)
    null = np.array([alike[np.arange(n), rng.permutation(n)].mean() for _ in range(SHUFFLES)])
    own = alike.diagonal()
    p = permutation_p(np.array([own.mean()]), null[:, None])[0] if n > 1 else np.nan
    return pd.Series(own, index=counts.columns), float(p)
