"""Images that were shown: natural-scene templates, and the part of the movies that they cover."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lib.data.sources.arrays import SCENE_HEIGHT_DEG, pixel_size, read_npz, unit_range
from lib.errors import DamagedFile, InputError

SCENE = re.compile(r"natural_scene_(\d+)\.tiff?$")
# Pixels of the screen that a natural scene and a natural movie cover, centred
# (allensdk.brain_observatory.stimulus_info: NATURAL_SCENES_PIXELS, NATURAL_MOVIE_PIXELS)
SCENE_PIXELS = (918, 1174)
MOVIE_PIXELS = (1080, 1920)
MOVIE_HEIGHT = 230  # px, to which movies are reduced when read: a quarter of the scenes


def read_templates(path: Path | str) -> dict:
    """Read the images of a session.

    They are an .npz file with `images` (frames, height, width), uint8 or floats in [0, 1], its rows the frame
    ids, and optionally `degrees_per_pixel` and movies by name in the same form; or a folder of
    natural_scene_<frame>.tiff, as AllenSDK's cache has it.

    Returns
    -------
    dict
        images : (I, h, w); image_ids : (I,); movies : dict; degrees_per_pixel : float
    """
    path = Path(path)
    if path.is_dir():
        frames, images = _scenes(path)
        return dict(
            images=images, image_ids=frames, movies={}, degrees_per_pixel=SCENE_HEIGHT_DEG / images.shape[1]
        )
    content = read_npz(path, ("images",))
    degrees = content.pop("degrees_per_pixel", None)
    movies = {name: unit_range(values, path.name) for name, values in content.items()}
    images = movies.pop("images")
    height = images.shape[1]
    degrees = SCENE_HEIGHT_DEG / height if degrees is None else pixel_size(degrees, path.name, height)
    for name, movie in movies.items():
        if movie.shape[1:] != images.shape[1:]:
            raise InputError(
                f"{path.name}: {name} is {movie.shape[1]} x {movie.shape[2]} pixels, images "
                f"are {images.shape[1]} x {images.shape[2]}; cut it to what they cover"
            )
    return dict(images=images, image_ids=np.arange(len(images)), movies=movies, degrees_per_pixel=degrees)


def scene_frames(path: Path | str) -> np.ndarray:
    """Return the frame ids that a templates file or folder has, without reading a folder's images."""
    path = Path(path)
    if not path.is_dir():
        return read_templates(path)["image_ids"]
    frames = sorted(int(found[1]) for file in path.iterdir() if (found := SCENE.match(file.name)))
    if not frames:
        raise InputError(f"{path}: no natural_scene_<frame>.tiff in this folder")
    return np.array(frames)


def check_image(path: Path | str) -> None:
    """Raise `DamagedFile` if an image file is not whole."""
    _grey(path)


def check_movie(path: Path | str) -> None:
    """Raise `DamagedFile` if a movie file of the Allen Institute (.npy) is not whole."""
    _movie(path)


def read_movie(path: Path | str) -> np.ndarray:
    """Return the part of a movie that the natural scenes cover, uint8 (frames, 230, 294)."""
    movie = _movie(path)
    h, w = movie.shape[1:]
    tall, wide = (h * SCENE_PIXELS[0] / MOVIE_PIXELS[0], w * SCENE_PIXELS[1] / MOVIE_PIXELS[1])
    box = ((w - wide) / 2, (h - tall) / 2, (w + wide) / 2, (h + tall) / 2)
    size = (round(MOVIE_HEIGHT * SCENE_PIXELS[1] / SCENE_PIXELS[0]), MOVIE_HEIGHT)
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.BOX, box=box)) for frame in movie])


def _scenes(folder):
    frames = scene_frames(folder)
    names = {int(SCENE.match(file.name)[1]): file for file in folder.iterdir() if SCENE.match(file.name)}
    images = [_grey(names[frame]) for frame in frames]
    if len({image.shape for image in images}) > 1:
        raise InputError(f"{folder}: the images differ in size")
    return frames, np.stack(images)


def _grey(path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # what Pillow gives for a damaged header
            with Image.open(path) as image:
                pixels = np.asarray(image)
    except (OSError, SyntaxError, UserWarning, UnidentifiedImageError):
        raise DamagedFile(f"{path.name}: not a readable image; fetch or copy it again") from None
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise InputError(
            f"{path.name}: expected a grey image of 8 bits, got {pixels.dtype} of shape {pixels.shape}"
        )
    return pixels


def _movie(path):
    try:
        movie = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DamagedFile(f"{path.name}: not a readable .npy file; fetch it again") from None
    if movie.ndim != 3 or movie.dtype != np.uint8:
        raise InputError(
            f"{path.name}: expected uint8 (frames, height, width), got {movie.dtype} of shape {movie.shape}"
        )
    return movie
