"""Show the stimuli of this folder with PsychoPy: python show.py [folder]

Reads stimuli.csv and presentations.csv and the pictures that they name, nothing else, and writes
shown.csv: presentation, file and the onset (s, of the flip) of each. The screen must have the size of
the pictures; their grey values already hold its gamma, so PsychoPy is told of none. Escape stops.
"""

import csv
import sys
from pathlib import Path


def main(folder: Path) -> None:
    from psychopy import core, event, visual

    with open(folder / "stimuli.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    with open(folder / "presentations.csv", newline="") as file:
        order = list(csv.DictReader(file))
    window = visual.Window(fullscr=True, units="pix", color=0, gamma=None, allowGUI=False)
    pictures = {name: visual.ImageStim(window, str(folder / name), units="pix") for name in names}
    if any(tuple(window.size) != tuple(picture.size) for picture in pictures.values()):
        window.close()
        sys.exit(f"the screen has {tuple(window.size)} pixels, the pictures {tuple(pictures[names[0]].size)}")
    blank, clock, shown = pictures["blank.png"], core.Clock(), []
    for row in order:
        while clock.getTime() < float(row["onset_s"]):
            blank.draw()
            window.flip()
        pictures[row["file"]].draw()
        shown.append((row["presentation"], row["file"], window.flip() and clock.getTime()))
        while clock.getTime() < float(row["onset_s"]) + float(row["duration_s"]):
            pictures[row["file"]].draw()
            window.flip()
        if event.getKeys(["escape"]):
            break
    window.close()
    with open(folder / "shown.csv", "w", newline="") as file:
        csv.writer(file).writerows([("presentation", "file", "onset_s"), *shown])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent))
