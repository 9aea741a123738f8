"""From a recording of visual cortex to the image that excites each neuron most.

The rooms, from the ground up; a room imports from itself and from those above it in this list:

    (ground)     errors, params, files, machine, stages, columns, statistics, words, figures, figure_data
    stimuli      patterns in degrees, mean and contrast, metrics of an image
    data         recordings: sources, counts, conditions, files, simulated sessions
    responses    raster, reliability, selection of neurons, recorded receptive fields
    models       response models, cross-validation, training sets, ensembles
    mei          most exciting inputs: search, mask, verdict, truth, recovery
    gabors       Gabors in a model: grid, search, fit, comparison
    population   the table of units, tests across units, conclusions
    experiment   the next experiment: stimuli out, responses back, confirmed or refuted
    original     the original report: its algorithms, its printed values, the audit

`workflow/` (what runs the notebooks) and `book/_ext/` (what builds the site) stand above all rooms.
Only a room's `words.py` makes sentences. tests/unit/test_rooms.py holds all of this.
"""
