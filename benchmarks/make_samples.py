"""Makes the recordings in `data_loaders/samples` from their sources, and prints what the packing lost.

    python benchmarks/make_samples.py SHARED_DATA data_loaders/samples

SHARED_DATA holds `perich_miller_reaching` (from the torch_brain 0.1.1 sdist) and `mne_meg_sample` (from the rsatoolbox
0.0.4 and mne 0.4 sdists); see data_loaders/samples/README.md for licences and attribution.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
from numpy import ndarray

# all spike times of the recording system are whole ticks of this clock, in hertz
TICKS = 30_000
SESSION = "c_20131022_center_out_reaching.h5"


def main(source: Path, dest: Path) -> None:
    """Writes both samples below `dest`."""
    reaching(source / "perich_miller_reaching" / SESSION, dest / "reaching" / "c_20131022.npz")
    meg(source / "mne_meg_sample", dest / "meg" / "audvis.npz")


def reaching(source: Path, dest: Path) -> None:
    """Spikes as steps of the 30 kHz clock, position and velocity in float32, trials."""
    with h5py.File(source) as file:
        times, cursor, trials = file["spikes/timestamps"][()], file["cursor"], file["trials"]
        ticks = np.rint(times * TICKS).astype(np.int64)
        pos, vel = cursor["pos"][()], cursor["vel"][()]
        arrays = {
            "spike_steps": np.diff(ticks, prepend=0).astype(np.uint16),
            "spike_units": file["spikes/unit_index"][()].astype(np.uint8),
            "unit_ids": np.array([name.removeprefix("group_electrode_group_") for name in file["units/id"].asstr()]),
            "cursor_pos": pos.astype(np.float32), "cursor_vel": vel.astype(np.float32),
            **_trials(trials),
        }  # fmt: skip
        grid = cursor["timestamps"][0] + np.arange(len(pos)) / 100
        print(
            f"spike times: largest error {np.abs(np.cumsum(arrays['spike_steps'], dtype=np.int64) / TICKS - times).max():.3g} s"
        )
        print(f"cursor times on a 100 Hz grid: largest error {np.abs(grid - cursor['timestamps'][()]).max():.3g} s")
        print(f"cursor_pos: largest error {np.abs(arrays['cursor_pos'] - pos).max():.3g} cm of {np.abs(pos).max():.4g}")
        print(
            f"cursor_vel: largest error {np.abs(arrays['cursor_vel'] - vel).max():.3g} cm/s of {np.abs(vel).max():.4g}"
        )
    _save(dest, arrays)


def _trials(trials: h5py.Group) -> dict[str, ndarray]:
    """Onset and end, times of target and go cue (seconds), target (0 to 7, none where the trial was left early), result."""
    target = trials["target_id"][()]
    names = np.array(["none" if np.isnan(t) else f"target-{t:.0f}" for t in target])
    times = {"onset": "start", "stop": "end", "target_on": "target_on_time", "go_cue": "go_cue_time"}
    result = trials["result"].asstr()[()].astype("U1")
    columns = {f"trial_{short}": trials[long][()] for short, long in times.items()}
    return columns | {"trial_target": names, "trial_target_dir": trials["target_dir"][()], "trial_result": result}


def meg(source: Path, dest: Path) -> None:
    """Epochs as int16 with a gain and an offset for each channel, sensor positions from the raw file of the same subject."""
    with np.load(source / "meg_epochs_227x203x58.npz") as file:
        data, names, conditions = (
            file["data"],
            file["channel_names"],
            [str(c).split("=")[0] for c in file["cond_names"]],
        )
        labels, times = np.array(conditions)[file["cond_idx"] - 1], file["times"]
    low, high = data.min(axis=(0, 2)), data.max(axis=(0, 2))
    gain, offset = (high - low) / 65534, (high + low) / 2
    steps = np.rint((data - offset[:, None]) / gain[:, None]).astype(np.int16)
    error = np.abs(steps * gain[:, None] + offset[:, None] - data).max(axis=(0, 2))
    share = (error / data.std(axis=(0, 2))).max()
    print(f"meg: largest error {error.max():.3g} T/m, at most {share:.3g} of a channel's standard deviation")
    print(f"meg: sfreq {1 / np.mean(np.diff(times))!r} Hz, tmin {times[0]!r} s")
    types = np.array(["mag" if name.endswith("1") else "grad" for name in names])
    positions = _positions(source / "sample_audvis_24s_raw.fif", names)
    _save(dest, {
        "signal": steps, "gain": gain, "offset": offset, "labels": labels,
        "ch_names": names, "ch_types": types, "ch_positions": positions,
    })  # fmt: skip


def _positions(raw_path: Path, names: ndarray) -> ndarray:
    """Sensor positions in metres, in head coordinates."""
    import mne

    info = mne.io.read_info(raw_path, verbose="error")
    by_name = {ch["ch_name"]: ch["loc"][:3] for ch in info["chs"]}
    return mne.transforms.apply_trans(info["dev_head_t"], np.array([by_name[str(name)] for name in names])).astype(
        np.float32
    )


def _save(path: Path, arrays: dict[str, ndarray]) -> None:
    """An npz of the same bytes on every day: entries carry no time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
