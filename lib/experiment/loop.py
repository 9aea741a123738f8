"""The loop of one run: its stimuli, the recordings that answered them, and all units judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lib.data.session import Session
from lib.errors import InputError
from lib.experiment import confirm, next_day
from lib.experiment.folder import StimulusSet, check_pictures, read_stimuli
from lib.experiment.responses import Responses, read_responses


@dataclass(frozen=True)
class Loop:
    """The stimuli that were shown, or the reason why there are none, and what was recorded or simulated."""

    shown: StimulusSet | None
    reason: str
    recordings: list[Responses]
    simulated: bool

    @property
    def answered(self) -> bool:
        """Whether anything was recorded."""
        return bool(self.recordings)


def open_loop(
    stage, session: Session, *, responses: str | list, units: str | list, stimuli: str, source: str, seed: int
) -> Loop:
    """Open the stimuli and the responses of a run; on a simulated session, simulate the next day first.

    Responses and units are files, one of units for each of responses; empty: none yet. Stimuli is the folder
    that was shown; empty: that of the run. The source is that of the run's data.
    """
    folder = Path(stimuli) if stimuli else stage.run_folder / "stimuli"
    given = list(zip(*([files] if isinstance(files, str) else files for files in (responses, units))))
    given = [pair for pair in given if pair[0]]
    try:
        shown = read_stimuli(folder)
    except InputError as error:
        if given or stimuli:
            raise
        return Loop(None, str(error), [], False)
    stage.use(folder / "stimuli.csv")
    simulated = source == "simulated" and not given
    if given or simulated:
        check_pictures(shown)
    if simulated:
        given = [next_day.answer(stage.run_folder, shown, window=session.window, seed=seed)]
    recordings = []
    for path, table in given:
        recordings.append(read_responses(path, table, shown, session, seed=seed))
        for file in (Path(path), Path(table)):
            if file.is_file():
                stage.use(file)
    return Loop(shown, "", recordings, simulated)


def judge_all(loop: Loop, session: Session) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`lib.experiment.confirm.judge` of every recording, one table below the other."""
    tables = [confirm.judge(recording, loop.shown, session) for recording in loop.recordings]
    units, kinds = (pd.concat(part) for part in zip(*tables))
    return units, kinds.reset_index(drop=True)


def drift(loop: Loop) -> dict[str, dict[str, pd.Series]]:
    """Mean counts over units of each block: {recording: {"scenes shown before" or "grey": Series}}."""
    kind = loop.shown.table.kind
    parts = {"scenes shown before": kind.index[kind == "reference"], "grey": ["blank.png"]}
    found = {}
    for recording in loop.recordings:
        blocks = confirm.by_block(recording, loop.shown).mean(axis=1).unstack()
        found[recording.name] = {name: blocks[files].mean(axis=1) for name, files in parts.items()}
    return found
