"""Faults for `tests.mutations`: a module, what stands there, what is put there, and what it means.

Those with a number are defects of the original analysis (1 data, 2 selection, 3 models, 4 most exciting
inputs, 5 Gabors, 6 metrics); the others are slips that were made or feared on the way.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    """One fault; `old` stands once in the file of the module."""

    module: str
    old: str
    new: str
    what: str


def _of(module, *faults):
    return [Fault(module, *fault) for fault in faults]


FAULTS = [
    *_of(
        "lib/data/counting",
        (
            "counts[repeat, image] = presentation_counts[rows]",
            "counts[repeat, image] = np.where(presentation_counts[rows] > 0, presentation_counts[rows], np.nan)",
            "1: trials without a spike are dropped",
        ),
        ("starts = onsets + latency", "starts = onsets", "1: counted from onset, not after the latency"),
        (
            "return starts, stops, stops > following + 1e-3",
            "return starts, stops, stops > np.inf",
            "1: a window that reaches into the next presentation is not said",
        ),
        (
            "ids, image = np.unique(frames, return_inverse=True)",
            "ids, image = np.unique(frames.astype(str), return_inverse=True); ids = np.unique(frames)",
            "1: images and responses joined in the order of file names",
        ),
        (
            "return counts[:most, ~blank], blank_counts, ids[~blank]",
            "return counts, blank_counts, ids",
            "1: the blank is one of the images",
        ),
        (
            "opens = np.append(True, ~mine[:-1] | (start[1:] - stop[:-1] > gap))",
            "opens = np.append(True, ~mine[:-1])",
            "2: bins in the pauses between blocks",
        ),
        (
            "counts[unit] = np.searchsorted(times, stops)",
            'counts[unit] = np.searchsorted(times, stops, side="right")',
            "a spike at the end of a window is counted in two",
        ),
        (
            "noise = (squares - total**2 / n) / (n - 1) / n",
            "noise = 0 * n",
            "the noise of the mean is taken for signal after onset",
        ),
    ),
    *_of(
        "lib/responses/raster",
        (
            "(activity != activity[:, :1]).any(axis=1)",
            "(activity == activity).any(axis=1)",
            "2: silent units are not dropped",
        ),
        (
            "scores /= scores.std(axis=1, keepdims=True, dtype=float).astype(np.float32)",
            "pass",
            "2: units are not z-scored",
        ),
        (
            "return np.concatenate([active[order], silent]), len(active)",
            "return np.concatenate([order, silent]), len(active)",
            "positions among active units taken for rows",
        ),
    ),
    *_of(
        "lib/responses/reliability",
        (
            "product = (total**2 - squares) / (n - 1)",
            "product = total**2 / n",
            "2: the oracle's own trial is in its mean",
        ),
        (
            "lowest = 0.0 if drop_zeros else -np.inf",
            "lowest = 0.0",
            "2: the oracle of draws drops zeros unasked",
        ),
        ("correlation *= used.mean(axis=0)", "pass", "2: published oracle not scaled by images seen"),
        (
            "return ratio * mean / (1 + (ratio - 1) * mean)",
            "return mean",
            "2: half the repeats stand for all (no Spearman-Brown)",
        ),
        (
            "np.where((images > 1) & (variance > 0), 1 - noise / images / variance, np.nan)",
            "np.where((images > 1) & (variance > 0), noise / images / variance, np.nan)",
            "2: noise for explainable variance",
        ),
        (
            'noise = np.einsum("tiu,tiu->iu", residual, residual) / (n - 1) / n * (freedom / left)',
            'noise = np.einsum("tiu,tiu->iu", residual, residual) / (n - 1) * (freedom / left)',
            "2: CCmax with the noise of single trials",
        ),
        (
            "shifted = (bias + tails) / (1 - acceleration * (bias + tails))",
            "shifted = tails",
            "2: plain percentile interval",
        ),
    ),
    *_of(
        "lib/responses/drift",
        (
            "own = np.minimum(own, abs(size - common))",
            "pass",
            "a gain that all units share is each one's drift",
        ),
        (
            "if abs(common := _common(size)) < COMMON:",
            "if (common := _common(size)) or True:",
            "a lost recording",
        ),
        (
            "p = holm(2 * scipy.stats.t.sf(own / error, images - 1))",
            "p = 0 * own",
            "a change within the count noise is a drift",
        ),
        (
            "np.cumsum(shown, axis=0) - (n + 1) / 2",
            "np.cumsum(shown, axis=0) - (len(shown) + 1) / 2",
            "repeats that are missing shift the middle of the session",
        ),
    ),
    *_of(
        "lib/responses/selection",
        ("np.fill_diagonal(others, np.nan)", "pass", "2: a unit is its own best partner"),
        (
            "if published else _standardised(Y).T",
            "if published else _shown(Y).T",
            "2: isolation forest on raw responses",
        ),
        (
            "(1 - Y.mean(axis=0) ** 2 / squares) / (1 - 1 / len(Y))",
            "(1 - Y.mean(axis=0) ** 2 / squares)",
            "2: sparseness without its correction for few images",
        ),
        (
            "correction = ((histogram > 0).sum(axis=1) - 1) / (2 * n * np.log(2))",
            "correction = 0",
            "2: entropy without its correction",
        ),
        (
            "(np.asarray(oracle) > least_oracle) & (np.asarray(variance) > least_variance)",
            "(np.asarray(oracle) > least_oracle) | (np.asarray(variance) > least_variance)",
            "2: one percentile is enough to be selected",
        ),
        (
            "return Y.var(axis=0, ddof=1) if len(Y) > 1",
            "return Y.std(axis=0, ddof=1) if len(Y) > 1",
            "2: standard deviation for variance",
        ),
    ),
    *_of(
        "lib/models/crossvalidation",
        ("train = fold != k", "train = fold >= 0", "3: test images in training"),
        (
            "null = np.stack([(a[rng.permutation(len(a))] * b).mean(0)",
            "null = np.stack([(a * b).mean(0)",
            "3: the null does not permute the images",
        ),
        (
            "normalised = np.where(ceiling > 0, r / ceiling, np.nan)",
            "normalised = np.where(ceiling > 0, r * ceiling, np.nan)",
            "3: CCnorm times CCmax",
        ),
        (
            "feve = np.where(total > noise, 1 - (error - noise) / (total - noise), np.nan)",
            "feve = np.where(total > noise, 1 - error / total, np.nan)",
            "3: FEVE without the noise",
        ),
        (
            "row[:] if units is None else torch.stack([row[u] for u in units])",
            "row[:] if units is None else torch.stack([row[0] for u in units])",
            "an ensemble read for one unit gives another one",
        ),
        (
            "images = reliability.repeated_images(counts)",
            "images = np.full(counts.shape[1], True)",
            "scores of images that were shown once, among those of repeated ones",
        ),
    ),
    *_of(
        "lib/models/many_images",
        (
            "images = np.flatnonzero(fold % groups != group)",
            "images = np.arange(n)",
            "windows learned from the folds that they predict",
        ),
        ("train=fold != k, more=more", "train=fold >= 0, more=more", "test images in training"),
        (
            "sums = sums * self.pooled + coefficients",
            "sums = sums + coefficients",
            "pooled kernels without their weights",
        ),
    ),
    *_of(
        "lib/models/cores",
        (
            "steep = slice(1, half)",
            "steep = slice(0, half - 1)",
            "3: filters of mirrored orientations mixed up",
        ),
        (
            "energy = (even.square() + odd.square() + 1e-6).sqrt()",
            "energy = (even + odd).abs()",
            "3: energy that knows the phase",
        ),
    ),
    *_of(
        "lib/models/v1",
        (
            "_window_kernels(_by_place(features - features.mean(0), core)",
            "_window_kernels(_by_place(features, core)",
            "kernels of features with their mean, shared by fits",
        ),
        (
            "return F.softplus(z, beta=8).square() if self.squared",
            "return z.square() if self.squared",
            "3: squared readout without rectification",
        ),
        (
            "target = _root(responses)",
            "target = torch.as_tensor(np.asarray(responses), dtype=torch.float32)",
            "3: counts fitted, their root predicted",
        ),
    ),
    *_of(
        "lib/responses/tuning",
        (
            '("g_osi_sg", at[1] & at[2], turn[0], 1)',
            '("g_osi_sg", at[1], turn[0], 1)',
            "gOSI over all phases",
        ),
        (
            "found[column] = curve.idxmax().to_numpy()",
            "found[column] = curve.idxmin().to_numpy()",
            "worst gratings",
        ),
        ("of_units(a, rng.permutation(b))", "of_units(a, b)", "the control is the unit itself"),
        (
            '(("pref_ori_sg",), "g_osi_sg", lambda v: v > SELECTIVE)',
            '((), "g_osi_sg", bool)',
            "untuned units count",
        ),
    ),
    *_of(
        "lib/models/tuning",
        ("PLATEAU * responses.max()", "responses.max()", "the largest of a plateau is preferred"),
        ("f1_f0 = 2 * np.abs", "f1_f0 = np.abs", "half of F1/F0"),
    ),
    *_of(
        "lib/models/ensemble",
        ("reshape(k, f, -1).mean(axis=1)", "reshape(k, f, -1)[:, 0]", "5: one phase for a drifting Gabor"),
        (
            "return torch.stack(self.each(images)).mean(0)",
            "return self.each(images)[0]",
            "4: the first member for the ensemble",
        ),
        (
            "return (members[::2], members[1::2]) if len(members) > 1",
            "return (members, members) if len(members) > 1",
            "4: models that made a stimulus judge it",
        ),
        (
            "root = gradient[:, 0].square().mean(0).sqrt().numpy(force=True)",
            "root = gradient[:, 0].mean(0).abs().numpy()",
            "sensitivities of opposite sign cancel",
        ),
    ),
    *_of(
        "lib/models/network",
        ("return F.elu(z) + 1", "return z", "3: ELU + 1 stated and not applied"),
        (
            "network.bias.data = own[rows].mean(0).to(network.bias.device) - 1",
            "pass",
            "3: the bias does not start at the mean",
        ),
        (
            "rate[k], waited[k] = rate[k] + 1, 0",
            "rate[:], waited[k] = rate[k] + 1, 0",
            "16: one network's rest is all networks'",
        ),
    ),
    *_of(
        "lib/models/shared_network",
        (
            "[(best % columns + 0.5) / columns",
            "[(best // rows + 0.5) / columns",
            "16: a readout begins elsewhere",
        ),
        (
            "place.clamp(-1, 1)[:, :, None]",
            "place.clamp(-1, 1).flip(2)[:, :, None]",
            "16: x and y of a readout are exchanged",
        ),
    ),
    *_of(
        "lib/models/by_images",
        ("table.r.max() - ALIKE", "table.r.max()", "16: a difference that is none decides"),
    ),
    *_of(
        "lib/mei/ascent",
        (
            "f = torch.hypot(torch.fft.fftfreq(shape[0])[:, None]",
            "f = torch.hypot(torch.arange(shape[0])[:, None] / shape[0]",
            "4: negative vertical frequencies count as high",
        ),
        (
            "trial, ok = project(now + length * direction, target)",
            "trial, ok = (now + length * direction).clamp(*target.value_range), torch.ones(len(now), dtype=bool)",
            "4: contrast is not held",
        ),
        (
            "better = ok & (values > self.values[self.active])",
            "better = ok",
            "4: the last iterate in place of the best",
        ),
        (
            "sigma = self.blur * max(0.0, 1 - 10 * (step - 1) / self.steps)",
            "sigma = self.blur",
            "4: the blur never ends",
        ),
        (
            "weights = weights * (frequency <= self.highest_frequency)",
            "pass",
            "4: steps finer than the highest frequency",
        ),
    ),
    *_of(
        "lib/mei/search",
        (
            "response_trace=sign * torch.stack(run.value_trace)",
            "response_trace=sign * torch.stack(run.contrast_trace)",
            "4: the trace is not the response",
        ),
        (
            "responses = own_responses(model, images, units, batch_size)\n    left =",
            "responses = sign * run.value_trace[0].reshape(n).numpy()\n    left =",
            "4: the score is not that of the returned image",
        ),
        (
            "best=(sign * responses).argmax(1)",
            "best=np.zeros(n[0], int)",
            "4: the first start in place of the best",
        ),
    ),
    *_of(
        "lib/mei/mask",
        (
            "np.flatnonzero(rise >= fraction * rise.max())[-1]",
            "min(np.flatnonzero(rise >= fraction * rise.max())[-1] + 3, levels)",
            "4: the mask loses more than 5 %",
        ),
        ("energy >= LEAST_PART * energy.max()", "energy > 0", "4: the mask takes every component"),
        (
            "energy >= LEAST_PART * energy.max()",
            "energy == energy.max()",
            "the second of two distant fields is cut off",
        ),
        (
            "rise = np.array(responses) - grey",
            "rise = np.array(responses)",
            "a unit that fires to grey has a mask of a few pixels",
        ),
        (
            "rise[shown.std((1, 2), dtype=float) < 0.99 * target.contrast] = -np.inf",
            "pass",
            "a mask too small for the contrast",
        ),
    ),
    *_of(
        "lib/mei/halves",
        ("share(k, best[1 - k])", "share(k, best[k])", "a half model judges its own MEI"),
        ("[alike(meis, one) for one in best]", "[alike(meis, best[0])] * 2", "one half is never compared"),
    ),
    *_of(
        "lib/mei/calibration",
        (
            "self.low if self.weight >= 0 else self.high",
            "self.high",
            "a figure that was not measured speaks for the MEI",
        ),
        (
            "int((neurons.share >= goal).sum())",
            "int((~(neurons.share < goal)).sum())",
            "a neuron that no image moves has a right MEI",
        ),
    ),
    *_of(
        "lib/mei/recorded",
        ("np.fill_diagonal(off, np.nan)", "pass", "a unit's own field is among those of the others"),
    ),
    *_of(
        "lib/mei/verdict",
        (
            '"transfer": (judges_own - judges_grey) / (makers_own - makers_grey)',
            '"transfer": (makers_own - makers_grey) / (makers_own - makers_grey)',
            "4: the makers judge their own image",
        ),
        (
            "heard = {name: value for name, value in heard.items() if np.isfinite(value)}",
            "heard = {}",
            "the verdict does not listen to what was recorded",
        ),
        (
            "float((judged.response - judged.grey_response) / max(signal, 1e-6))",
            "float(judged.response / max(signal, 1e-6))",
            "grey is not taken off the rise that is weighed",
        ),
    ),
    *_of(
        "lib/original/mei",
        (
            "value = response - penalty * (target_contrast - spread).abs()",
            "value = response",
            "4: published variant without its penalty",
        ),
    ),
    *_of(
        "lib/responses/receptive_fields",
        (
            "best = means.index[means.to_numpy().argmax(axis=0)]",
            "best = means.index[means.to_numpy().argmax(axis=0) - 1]",
            "5: the neighbour of the best condition",
        ),
        (
            "null = [chi_square(flat[rng.permutation(len(flat))]) for _ in range(permutations)]",
            "null = [chi_square(flat) for _ in range(permutations)]",
            "5: map tested against itself",
        ),
        (
            "return maps.transpose(2, 1, 0), x, y",
            "return maps.transpose(2, 0, 1), x, y",
            "5: azimuth and elevation of the map exchanged",
        ),
        (
            "angle = 2 * np.deg2rad(orientation)\n    design",
            "angle = np.deg2rad(orientation)\n    design",
            "5: orientation taken for direction",
        ),
        (
            "a, b = first[use], second[use]",
            "a, b = first[use], first[use]",
            "5: MEIs compared with themselves in the null of the distance",
        ),
    ),
    *_of(
        "lib/data/conditions",
        (
            "known = np.isfinite(values).all(axis=1)",
            "known = np.ones(len(values), bool)",
            "5: blanks among the gratings",
        ),
        (
            "repeats[code, repeat] = counts[known]",
            "repeats[np.sort(code), repeat] = counts[known]",
            "5: repeats of other conditions mixed",
        ),
        (
            "return pd.DataFrame(np.nanmean(repeats, axis=1), index=pd.MultiIndex.from_frame(table))",
            "return pd.DataFrame(np.nanmax(repeats, axis=1), index=pd.MultiIndex.from_frame(table))",
            "5: the highest single presentation for the mean of a condition",
        ),
        (
            "frames[k] = grey * (1 + row.contrast * pattern)",
            "frames[k] = grey * (1 + pattern)",
            "5: recorded Gabors at full contrast",
        ),
    ),
    *_of(
        "lib/gabors/parameters",
        (
            "theta = ROTATION * torch.deg2rad(orientation)\n    cos",
            "theta = torch.deg2rad(orientation + 90)\n    cos",
            "5: the search draws 0 as horizontal bars",
        ),
        (
            'table["phase"] = np.where(half_turns % 2 == 1, -table.phase, table.phase) % 1',
            'table["phase"] = table.phase % 1',
            "5: a turn by 180 degrees keeps the phase",
        ),
    ),
    *_of(
        "lib/gabors/compare",
        (
            "name: set_mean_contrast(image, target)",
            "name: set_mean_contrast(image, target.within(None))",
            "5: stimuli compared without the mask",
        ),
        ("mean -= min(error, np.log(bias))", "pass", "the gain that errors of the fit make is not corrected"),
        (
            "error = (folds - 1) / np.sqrt(folds) * max(",
            "error = 1 / np.sqrt(folds) * max(",
            "fold models are independent",
        ),
        (
            "responses = np.stack([predicted_responses(model, shown)[:, unit] for model in models], axis=1)",
            "responses = np.stack([predicted_responses(models[0], shown)[:, unit] for model in models], axis=1)",
            "5: one model judges for all",
        ),
    ),
    *_of(
        "lib/gabors/search",
        (
            "candidates = torch.cat([candidates, more], 1)",
            "pass",
            "5: the best Gabor may be worse than the fitted one",
        ),
        (
            "better = value > best_value",
            "better = torch.ones_like(value, dtype=torch.bool)",
            "5: the last Gabor in place of the best",
        ),
    ),
    *_of(
        "lib/gabors/fit",
        (
            "r = masked_correlation(image, fitted, masks=[weight])",
            "r = masked_correlation(image, fitted, masks=[np.ones(image.shape)])",
            "5: the fit is judged outside the mask too",
        ),
    ),
    *_of(
        "lib/gabors/grid",
        (
            "np.geomspace(FREQUENCIES[0], highest, n_frequencies)",
            "np.geomspace(FREQUENCIES[0], highest, n_frequencies) / degrees_per_pixel",
            "5: frequencies of the grid in cycles per pixel",
        ),
    ),
    *_of(
        "lib/stimuli/metrics",
        (
            "[_inside(mask, np.shape(image))].mean())",
            "[_inside(mask, np.shape(image))].sum() / np.asarray(mask).sum())",
            "6: luminance over an area that is not that of the pixels",
        ),
        (
            "deviation = image - np.average(image, weights=window)",
            "deviation = image",
            "6: the mean is left in the spectrum",
        ),
        (
            "keep = (radius >= low) & (radius < np.abs(fx).max())",
            "keep = radius < np.abs(fx).max()",
            "6: the annulus begins at zero frequency",
        ),
        (
            "power = np.abs(np.fft.fftshift(np.fft.fft2(deviation * window, s=(n, n)))) ** 2",
            "power = np.abs(np.fft.fftshift(np.fft.fft2(deviation * window, s=(n, n)))) ** 2; return power, np.fft.fftshift(np.fft.fftfreq(n, degrees_per_pixel)), -np.fft.fftshift(np.fft.fftfreq(n, degrees_per_pixel)) * h / w",
            "6: angles between the indices of a rectangular spectrum",
        ),
        (
            "return power, frequency, -frequency",
            "return power, frequency, frequency",
            "6: spectra upside down",
        ),
        (
            "np.abs(np.sum(power * np.exp(2j * n * angles))) / power.sum())",
            "np.abs(np.sum(power * np.exp(1j * n * angles))) / power.sum())",
            "6: symmetry of directions",
        ),
        (
            "energy[i, j] = np.abs(response[:h, :w]) ** 2",
            "energy[i, j] = response[:h, :w].real",
            "6: similarity that depends on the phase",
        ),
        (
            "return np.any([_inside(mask, shape) for mask in masks], axis=0)",
            "return np.all([_inside(mask, shape) for mask in masks], axis=0)",
            "6: compared where both masks are",
        ),
    ),
    *_of(
        "lib/original/metrics",
        ("/ (np.pi * radius**2))", "/ inside.sum())", "6: published luminance without its fault"),
    ),
    *_of(
        "lib/statistics",
        (
            "steps = p_values[order] * np.arange(len(order), 0, -1)",
            "steps = p_values[order]",
            "6: not corrected for the number of tests",
        ),
        (
            "adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)",
            "adjusted[order] = np.minimum(steps, 1)",
            "corrected p values that fall",
        ),
        (
            "p = (1 + (null >= observed).sum(axis=0)) / (1 + len(null))",
            "p = (null > observed).sum(axis=0) / len(null)",
            "p of zero from a permutation test",
        ),
    ),
    *_of(
        "lib/population/tests",
        (
            "false_discovery_control(p[tested]) < alpha",
            "p[tested] < alpha",
            "answers not corrected for the number of neurons",
        ),
        (
            "np.median(logs, axis=0) if logs",
            "np.mean(logs, axis=1) if logs",
            "neurons of one session are independent draws",
        ),
        (
            'within = (np.log(gains) - groups.transform("median"))',
            "within = np.log(gains)",
            "gains rise together because groups differ",
        ),
        (
            "weights = np.concatenate([np.ones((1, images)), weights]) / images",
            "weights = np.ones((len(weights) + 1, images)) / images",
            "images are not resampled",
        ),
        (
            "known = table[(table.map_p < alpha) & table.mei_x.notna()]",
            "known = table[table.mei_x.notna()]",
            "5: maps that are noise have a place",
        ),
    ),
    *_of(
        "lib/population/table",
        (
            "table[name] = by_model[model][name]",
            "table[name] = by_model[list(by_model)[0]][name]",
            "scores of another model in units.csv",
        ),
        (
            'if twice := merged.keys() & content["scalars"].keys():',
            "if twice := set():",
            "the later of two stages' values under one name, silently",
        ),
    ),
    *_of(
        "lib/population/words",
        (
            "p = holm(table.gabor_prediction_p.to_numpy(float))",
            "p = table.gabor_prediction_p.to_numpy(float)",
            "predictions of Gabors not corrected for the number of units",
        ),
        (
            "turn = np.abs((known.mei_orientation - known.gabor_measured_orientation + 90) % 180 - 90)",
            "turn = np.abs(known.mei_orientation - known.gabor_measured_orientation)",
            "orientations 178 degrees apart",
        ),
    ),
    *_of(
        "lib/stimuli/patterns",
        ("ROTATION = -1  ", "ROTATION = 1  ", "5: orientation grows counter-clockwise"),
        (
            "return x * np.cos(theta) + y * np.sin(theta), y * np.cos(theta) - x * np.sin(theta)",
            "return y * np.cos(theta) - x * np.sin(theta), x * np.cos(theta) + y * np.sin(theta)",
            "5: 0 degrees are horizontal bars",
        ),
        (
            "images *= np.cos(2 * np.pi * (f * across + p))",
            "images *= np.cos(2 * np.pi * (f * across / degrees_per_pixel + p))",
            "5: wavelengths in pixels",
        ),
        (
            "phase = temporal_frequency * time[:, None, None]",
            "phase = 0 * time[:, None, None]",
            "5: recorded Gabors do not drift",
        ),
        (
            "y = ((h - 1) / 2 - np.arange(h)) * degrees_per_pixel",
            "y = (np.arange(h) - (h - 1) / 2) * degrees_per_pixel",
            "elevation grows downwards",
        ),
    ),
    *_of(
        "lib/stimuli/contrast",
        (
            "gain = contrast / _rms(pattern).clamp_min(1e-12)",
            "gain = torch.ones_like(_rms(pattern)); tolerance = 9.0",
            "4: contrast is left as it is",
        ),
        (
            "scaled = scaled - shift * weight",
            "scaled = scaled - shift; weight = torch.ones_like(weight)",
            "4: grey outside the mask is moved too",
        ),
        (
            "shown = (gain * pattern).clamp(low, high)",
            "shown = gain * pattern",
            "4: outside the displayable range",
        ),
    ),
    *_of(
        "lib/data/session",
        (
            'if not np.array_equal(frames, shared["image_ids"]):',
            'if len(frames) != len(shared["image_ids"]):',
            "1: images and responses joined by their number alone",
        ),
        (
            "return resize_to(images, (height, round(w * height / h)))",
            "return resize_to(images, (height, round(1.6 * height)))",
            "1: images stretched to 60 x 96",
        ),
        (
            "degrees_per_pixel=r.degrees_per_pixel / scale",
            "degrees_per_pixel=r.degrees_per_pixel",
            "1: degrees per pixel of the images before they were resized",
        ),
        ("if overlaps.any():", "if False:", "1: overlapping windows are not said on the page"),
        (
            "return float(self.images.std(axis=(1, 2)).mean())",
            "return float(self.images.std())",
            "4: contrast target of all pixels together",
        ),
        (
            'edges = np.cumsum(file["spike_counts"][()])[:-1]',
            'edges = file["spike_counts"][()][:-1]',
            "spikes of other units read back",
        ),
    ),
    *_of(
        "lib/data/shown_images",
        (
            "frames = sorted(int(found[1]) for file in path.iterdir()",
            "frames = list(int(found[1]) for file in sorted(path.iterdir())",
            "1: images in the order of their file names",
        ),
    ),
    *_of(
        "lib/data/sources/nwb",
        (
            'images=templates["images"][kept]',
            'images=templates["images"][:kept.sum()]',
            "1: the first images for those that were shown",
        ),
    ),
    *_of(
        "lib/data/sources/arrays",
        (
            "images=images[image_ids],\n        image_ids=image_ids.astype(int)",
            "images=images[:len(image_ids)], image_ids=image_ids.astype(int)",
            "1: images not joined by their ids",
        ),
        (
            "missing = np.isnan(counts)",
            "missing = np.zeros_like(counts, bool)",
            "counts that lack single units pass as repeats",
        ),
    ),
    *_of(
        "lib/stages",
        ('if "failed" in content:', "if False:", "a failed stage passes for a result"),
        (
            "self.inputs[os.path.relpath(path, self.run_folder)] = file_hash(local_copy(path))",
            "pass",
            "inputs without a hash in the provenance",
        ),
        (
            "return self.run_folder if self.unit_id is None else",
            "return self.run_folder if not self.unit_id else",
            "unit 0 taken for no unit",
        ),
    ),
    *_of(
        "lib/files",
        (
            "os.replace(partial, path)",
            "os.replace(partial, path.with_suffix(path.suffix))\n    partial.touch()",
            "temporary files are left",
        ),
        ("return None\n    return str(value)", "return 0.0\n    return str(value)", "NaN becomes a number"),
    ),
    *_of(
        "lib/figure_data",
        (
            "return np.array_split(values.ravel(), min(BLOCKS, values.size))",
            "return [values.ravel()]",
            "the order of what is drawn does not count",
        ),
        (
            "scale = np.abs(values[finite]).max() if finite.any() else 0.0",
            "scale = 1.0",
            "small values pass as nothing",
        ),
        (
            'lines += [f"  text {text.get_text()}" for text in ax.texts]',
            "pass",
            "words in a figure do not count",
        ),
    ),
    *_of(
        "book/_ext/labels",
        ('rf"(?<![\\w-])({names})(?![\\w-])"', 'rf"({names})"', "labels renamed inside longer ones"),
    ),
    *_of(
        "book/_ext/notebook_files",
        (
            'return [*cells[:n], stopped], f"it stopped',
            'return [*cells, stopped], f"it stopped',
            "figures after an error are shown",
        ),
        (
            'return [cell for cell in cells if not HIDDEN_TAGS & set(cell["metadata"].get("tags", []))]',
            "return list(cells)",
            "parameters and paths on the page",
        ),
    ),
    *_of(
        "book/_ext/site",
        (
            "if done.returncode:",
            "if done.returncode and not output:",
            "a book with complaints replaces the old one",
        ),
    ),
    *_of(
        "book/_ext/report_site",
        (
            'app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True',
            "pass",
            "pages are read in one process",
        ),
        ("app.add_domain(FormulasOfPages, override=True)", "pass", "MathJax on pages without a formula"),
    ),
    *_of(
        "workflow/render",
        ('autoescape=select_autoescape(["html.jinja"], default=False)', "autoescape=False", "names are HTML"),
        ("    undefined=StrictUndefined,\n", "", "gaps on a page in the place of values"),
    ),
    *_of(
        "lib/params",
        ("if key not in defaults:", "if key not in defaults and False:", "unknown keys pass"),
        (
            "lambda _, value: type(value) is int,",
            "lambda _, value: isinstance(value, (int, str)),",
            "a parameter of another type passes",
        ),
        ("and math.isfinite(value)", "", "NaN and infinity pass for numbers"),
        (
            'flat |= params["per_unit"].get(unit_id, {}).get(stage, {}) | {"unit_id": unit_id}',
            'flat |= {"unit_id": unit_id}',
            "parameters of one unit are ignored",
        ),
        (
            "session[key] = str((path.parent / Path(given).expanduser()).resolve())",
            "session[key] = str(Path(given).expanduser().resolve())",
            "paths relative to where one stands",
        ),
    ),
    *_of(
        "lib/data/checks",
        (
            "hit[:, None] & np.isin(units, times.units)[None]",
            "hit[:, None]",
            "a probe's invalid times for all units",
        ),
        ("if other != unit:", "if False:", "units and repeats listed twice pass"),
        ("if not inside or high - low", "if high - low", "spikes on another clock are zeros"),
        (
            "first = first_of_same(recording.images)",
            "first = np.arange(len(recording.images))",
            "a picture under two ids",
        ),
    ),
    *_of(
        "lib/mei/recovery",
        (
            "v1.fit_windowed(features[:n], counts.mean(0), core, windows=windows[n])",
            "v1.fit_windowed(features[:n], expected[:n], core, windows=windows[n])",
            "recovery from rates that no recording gives",
        ),
        (
            "true = ensemble.predicted_responses(truth, found).diagonal()",
            "true = ensemble.predicted_responses(model, found).diagonal()",
            "the model judges its own MEIs",
        ),
        (
            "enough.loc[enough.minutes.idxmin()]",
            "enough.loc[enough.minutes.idxmax()]",
            "the longest recording for the shortest",
        ),
    ),
    *_of(
        "lib/data/simulated_neurons",
        (
            "patch -= window * (patch.sum((1, 2)) / window.sum((1, 2)))[:, None, None]",
            "pass",
            "luminance alone drives units",
        ),
        ("0.25 * energy", "0.0 * energy", "complex units that know the phase"),
        (
            "filters *= dpp * frequency / NATURAL_OUTPUT",
            "filters *= frequency / NATURAL_OUTPUT",
            "responses depend on the number of pixels",
        ),
        ("both = 2 * up_a * up_b / (up_a + up_b + 1e-6)", "both = up_a + up_b", "corner units add"),
        (
            "filters = filters.sum(0, keepdims=True)",
            "filters = filters[:1]",
            "the optimum of two filters is one of them",
        ),
        (
            "basis, _ = np.linalg.qr(span.reshape(len(span), -1).T)",
            "basis = span[:1].reshape(1, -1).T",
            "truth correlation of complex units hangs on the phase",
        ),
    ),
    *_of(
        "lib/original/selection",
        (
            "starts, stops, _ = counting.windows(session.presentations, latency=0)",
            "starts, stops, _ = counting.windows(session.presentations, latency=session.window[0])",
            "1: the original's window shown with a latency",
        ),
        (
            "return scenes if blanks is None else with_blank(scenes, blanks)",
            "return scenes",
            "1: the original's counts shown without the blank",
        ),
    ),
    *_of(
        "lib/original/audit_stimuli",
        (
            "sigma += (last - sigma) * step / steps",
            "sigma += (last - first) / steps",
            "4: the recursion of the blur shown as a line",
        ),
    ),
    *_of(
        "lib/original/audit_data",
        (
            "return (fit - left_out * mean_counts) / (1 - left_out)",
            "return fit",
            "3: linear fit judged on its own images",
        ),
    ),
    *_of(
        "workflow/code_hash",
        (
            'found.update([base, *(f"{base}.{alias.name}" for alias in node.names)])',
            "found.update([base])",
            "a module imported from a room is not followed: results go stale",
        ),
    ),
    *_of(
        "lib/experiment/screen",
        (
            "np.asarray(luminance) ** (1 / self.gamma)",
            "np.asarray(luminance) ** self.gamma",
            "gamma undone twice",
        ),
        ("(h - 1) / 2 - np.arange(h)", "np.arange(h) - (h - 1) / 2", "up for down in the table of stimuli"),
        ("np.round(self.values(luminance))", "self.values(luminance)", "grey values cut off, not rounded"),
    ),
    *_of(
        "lib/experiment/stimuli",
        ("_shifted(mask * (image", "_shifted(1 * (image", "a control brings what lies outside its mask"),
        ("middle - _middle(mask)", "0 * middle", "controls stay at their own place"),
    ),
    *_of(
        "lib/experiment/schedule",
        ("rng.permutation(once) for", "once for", "an order that is the same in each block"),
        ("* (first + second)", "* first", "the noise of one of two stimuli forgotten in the plan"),
    ),
    *_of(
        "lib/experiment/responses",
        ("if name != shown.name:", "if False:", "responses to another set of stimuli are taken"),
        ("and not p < 0.01:", "and False:", "units paired wrongly are believed"),
        ("counts[:, where]", "counts[:, : len(where)]", "units of two days joined by position"),
    ),
    *_of(
        "lib/experiment/confirm",
        ("if all(low > 0", "if any(low > 0", "one rival beaten is enough to confirm"),
        (
            "linear = a.mean() * b.mean() - t2 * vab",
            "linear = a.mean() * b.mean()",
            "blocks taken as unpaired",
        ),
        (
            "tau2 = max((q - (n - 1)) / spread, 0.0)",
            "tau2 = 0.0 * max((q - (n - 1)) / spread, 0.0)",
            "units that differ pooled as one",
        ),
    ),
    *_of(
        "lib/experiment/next_day",
        ("rng.uniform(*MOVED, n)", "rng.uniform(0, 1, n)", "receptive fields that hardly move over night"),
    ),
    *_of(
        "lib/models/own",
        (
            "new = np.isin(image_ids, unseen)",
            "new = ~np.isin(image_ids, unseen)",
            "an image predicted by models that saw it",
        ),
        (
            "[where.get(unit, -1) for unit in wanted]",
            "list(range(len(wanted)))",
            "outputs joined to units by position",
        ),
    ),
    *_of(
        "lib/data/sources/arrays",
        (
            'if "image_ids" not in table and len(images) != counts.shape[1]:',
            "if False:",
            "repeats taken for images where the axes are exchanged",
        ),
        ("if degrees * height > WHOLE_FIELD:", "if False:", "an image of a thousand degrees"),
    ),
    *_of(
        "lib/data/checks",
        (
            "if not POSSIBLE[0] <= length <= POSSIBLE[1]:",
            "if False:",
            "a recording in milliseconds read as one in seconds",
        ),
        ("if recording.units.index.has_duplicates:", "if False:", "two units under one id"),
    ),
    *_of(
        "lib/experiment/responses",
        (
            "counts = counts - np.minimum(lowest, 0)",
            "counts = np.maximum(counts, 0)",
            "traces of the next day cut off at zero",
        ),
    ),
    *_of(
        "lib/params",
        ("if low >= high:", "if False:", "a correlation called high that lies below those called low"),
        (
            'for key in ("session", "name", "structure"):',
            'for key in ("session",):',
            "a recording analysed under the name of the simulated run",
        ),
    ),
    *_of(
        "lib/data/nwb_files",
        ("    gc.disable()\n", "", "two threads that wait for each other while a far file is read"),
    ),
]
