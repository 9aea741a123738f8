"""Images of a folder and of a session are joined by their frame ids, not by order or number."""

import numpy as np
import pandas as pd
from PIL import Image

from lib.data import shown_images
from lib.data.sources import nwb as nwb_source


def test_a_folder_is_read_in_the_order_of_frames_not_of_names(tmp_path):
    """Fault: natural_scene_10 before natural_scene_2, as file names are sorted; ids of other images."""
    for frame in (2, 10, 0):
        Image.fromarray(np.full((4, 6), frame, np.uint8)).save(tmp_path / f"natural_scene_{frame}.tiff")
    read = shown_images.read_templates(tmp_path)
    assert read["image_ids"].tolist() == [0, 2, 10]
    assert read["images"][:, 0, 0].tolist() == [0, 2, 10]
    assert shown_images.scene_frames(tmp_path).tolist() == [0, 2, 10]


def test_images_that_were_not_shown_are_left_out(monkeypatch):
    """Fault: as many images as were shown, but the first ones."""
    shown = pd.DataFrame({"stimulus_name": ["natural_scenes"] * 3 + ["gabors"], "frame": [2.0, 0, -1, 1]})
    monkeypatch.setattr(
        nwb_source.nwb_files,
        "read_session",
        lambda file, structure: dict(
            units=pd.DataFrame(), presentations=shown, spike_times=[], structures={}, notes=[]
        ),
    )
    given = dict(
        images=np.arange(3)[:, None, None] * np.ones((3, 4, 6)),
        image_ids=np.arange(3),
        movies={},
        degrees_per_pixel=1.0,
    )
    read = nwb_source.recording("session_1.nwb", given, structure="V1", source="nwb")
    assert read.image_ids.tolist() == [0, 2] and read.images[:, 0, 0].tolist() == [0, 2]
