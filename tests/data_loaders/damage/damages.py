"""What is done to each format: its small files (`damage.py`) cut, flipped, rewritten, or left without a part."""

import numpy as np

from tests.data_loaders.damage.damage import (
    CUTS,
    cut,
    flipped,
    gone,
    h5,
    put,
    resaved,
    restated,
    rewritten,
    rezipped,
    swapped,
)


def cuts(name: str, shares=CUTS) -> dict[str, object]:
    return {f"cut at {share:g}": cut(name, share) for share in shares}


def flips(name: str, n: int, low: int = 0, high: int | None = None) -> dict[str, object]:
    return {f"bits flipped {seed}": flipped(name, seed, low, high) for seed in range(n)}


def data(name: str, key: str, **changes) -> dict[str, object]:
    return {f"{key} {what}".replace("_", " "): h5(name, rewritten(key, change)) for what, change in changes.items()}


def attr(name: str, key: str, which: str, *values) -> dict[str, object]:
    def setter(value):
        return lambda file: file[key].attrs.__setitem__(which, value)

    return {f"{which} {value}": h5(name, setter(value)) for value in values}


def edf_header(file: str) -> dict[str, object]:
    """Fields of the fixed header, and of the first of five channels."""
    fixed = {"n channels": 252, "n records": 236, "record duration": 244}
    bad = {"n channels": (b"xxxx", b"0   ", b"9999", b"-1  ", b"7   "), "n records": (b"abcdefgh", b"0       ", b"99999   "),
           "record duration": (b"0       ", b"-1      ", b"nan     ", b"inf     ")}  # fmt: skip
    found = {
        f"{field} {value.decode().strip()}": put(file, fixed[field], value)
        for field, values in bad.items()
        for value in values
    }
    channel = 256 + 5 * (16 + 80 + 8)
    found["physical min is max"] = put(file, channel, b"1       " * 10)
    found["physical nan"] = put(file, channel, b"nan     ")
    found["digital min is max"] = put(file, channel + 5 * 16, b"5       " * 10)
    found["digital text"] = put(file, channel + 5 * 16, b"abc     ")
    samples = channel + 5 * (8 * 4 + 80)
    return found | {
        f"n samples {value.decode().strip()}": put(file, samples, value)
        for value in (b"0       ", b"-5      ", b"x       ")
    }


def _nan(values):
    return np.full_like(np.asarray(values, dtype=float), np.nan)


VHDR = "s01.vhdr"
DAMAGES = {
    "edf": {**cuts("s01.edf"), **edf_header("s01.edf"), "empty channel names": put("s01.edf", 256, b" " * 80)},
    "bdf": {**cuts("s01.bdf"), **dict(list(edf_header("s01.bdf").items())[:8])},
    "brainvision": {
        **cuts("s01.eeg", (0.0, 0.1003, 0.5003, 0.9003, 0.9997)),
        **cuts(VHDR, (0.0, 0.2, 0.5, 0.8)),
        "no eeg": gone("s01.eeg"),
        "no vmrk": gone("s01.vmrk"),
        "channels 6": swapped(VHDR, "NumberOfChannels=5", "NumberOfChannels=6"),
        "channels 4": swapped(VHDR, "NumberOfChannels=5", "NumberOfChannels=4"),
        "channels x": swapped(VHDR, "NumberOfChannels=5", "NumberOfChannels=x"),
        "channels 0": swapped(VHDR, "NumberOfChannels=5", "NumberOfChannels=0"),
        **{
            f"interval {v}": swapped(VHDR, "SamplingInterval=10000", f"SamplingInterval={v};")
            for v in ("0", "-5", "nan", "abc")
        },
        "unknown numbers": swapped(VHDR, "BinaryFormat=", "BinaryFormat=X"),
        "other data file": swapped(VHDR, "DataFile=s01.eeg", "DataFile=s02.eeg"),
    },
    "fif": {**cuts("s01_raw.fif"), **flips("s01_raw.fif", 8, 0, 200)},
    "fif_gz": {**cuts("s01_raw.fif.gz"), **flips("s01_raw.fif.gz", 8)},
    "eeg_npz": {
        **cuts("s01.npz"),
        **flips("s01.npz", 10),
        **{f"sfreq {v}": restated(sfreq=v) for v in (0, -5, float("nan"), float("inf"), "fast")},
        "no unit": restated(unit=None),
        "axes wrong": restated(axes=["trial", "time"]),
        "axes swapped": restated(axes=["channel", "trial", "time"]),
        "unit wrong": restated(unit="K"),
        "uV stated": restated(unit="uV"),
        "all NaN": rezipped("s01.npz", x=_nan),
        "labels short": rezipped("s01.npz", y=lambda y: y[:5]),
        "names twice": rezipped("s01.npz", names=lambda n: n[[0, 0, 1, 2, 3]]),
        "key unknown": restated(sferq=100),
    },
    "eeg_mat": {
        **cuts("s01.mat"),
        **flips("s01.mat", 6, 130),
        "trigger short": restated(trigger="x"),
        "no trigger": restated(trigger="trigg"),
    },
    "nwb_volts": {
        **cuts("s01.nwb"),
        **flips("s01.nwb", 8, 0, 600),
        **attr("s01.nwb", "acquisition/lfp/data", "conversion", 0.0, float("nan"), float("inf"), 1.0),
        **data(
            "s01.nwb",
            "acquisition/lfp/timestamps",
            NaN=_nan,
            backward=lambda t: t[::-1],
            short=lambda t: t[:-5],
            wild=lambda t: np.r_[t[:-1], 1e12],
            irregular=lambda t: np.cumsum(np.random.default_rng(0).exponential(0.01, len(t))),
        ),
        **data(
            "s01.nwb",
            "acquisition/lfp/data",
            all_NaN=_nan,
            narrow=lambda x: x[:, :2],
            turned=lambda x: x.T,
            empty=lambda x: x[:0],
        ),
        **data("s01.nwb", "acquisition/wheel/data", NaN=_nan),
        **data("s01.nwb", "intervals/trials/stop_time", before=lambda t: t - 100),
        **data("s01.nwb", "intervals/trials/start_time", NaN=_nan),
    },
    "nwb_rate": {
        **attr("s01.nwb", "acquisition/lfp/starting_time", "rate", 0.0, -5.0, float("nan"), float("inf")),
        **attr("s01.nwb", "acquisition/wheel/starting_time", "rate", 0.0, float("nan")),
    },
    "nwb_units": {
        **cuts("s01.nwb", (0.1, 0.5, 0.9)),
        **data(
            "s01.nwb",
            "units/spike_times",
            NaN=_nan,
            unsorted=lambda t: t[::-1],
            milliseconds=lambda t: t * 1e5,
            short=lambda t: t[:-5],
        ),
        **data("s01.nwb", "units/spike_times_index", falling=lambda i: i[::-1], beyond=lambda i: i + 50),
        **data("s01.nwb", "units/electrodes", beyond=lambda e: e + 10),
        **data("s01.nwb", "units/id", twice=lambda i: i * 0),
        **data(
            "s01.nwb",
            "units/obs_intervals",
            reversed=lambda o: o[:, ::-1],
            apart=lambda o: o + np.arange(3)[:, None] * 20,
        ),
        "no spike times": h5(
            "s01.nwb", lambda file: [file["units"].pop(k) for k in ("spike_times", "spike_times_index")]
        ),
    },
    "nwb_cells": {
        **cuts("s01.nwb", (0.1, 0.5, 0.9)),
        **data(
            "s01.nwb",
            "processing/ophys/DfOverF/dff/data",
            narrow=lambda x: x[:, :2],
            all_NaN=_nan,
            turned=lambda x: x.T,
            short=lambda x: x[:-9],
        ),
        **data(
            "s01.nwb",
            "processing/ophys/DfOverF/dff/timestamps",
            NaN=_nan,
            backward=lambda t: t[::-1],
            wild=lambda t: np.r_[t[:-1], 1e12],
        ),
        **data("s01.nwb", "processing/ophys/DfOverF/dff/rois", beyond=lambda r: r + 10),
    },
    "suite2p": {
        **cuts("plane0/F.npy", (0.0, 0.01, 0.5, 0.99)),
        **flips("plane0/F.npy", 4, 0, 60),
        **cuts("plane1/iscell.npy", (0.0, 0.5)),
        **cuts("plane0/ops.npy", (0.0, 0.6)),
        "no ops": gone("plane0/ops.npy"),
        "no iscell": gone("plane0/iscell.npy"),
        "no Fneu": gone("plane1/Fneu.npy"),
        "no spks where asked": lambda folder: (
            restated(calcium={"traces": "spks"})(folder),
            gone("plane0/spks.npy")(folder),
        ),
        "F NaN": resaved("plane0/F.npy", _nan),
        "F flat": resaved("plane0/F.npy", np.ravel),
        "F of another run": resaved("plane0/F.npy", lambda f: f[:3]),
        "planes unequal": resaved("plane1/F.npy", lambda f: f[:, :100]),
        "iscell of another run": resaved("plane0/iscell.npy", lambda c: c[:3]),
        "iscell no verdict": resaved("plane0/iscell.npy", lambda c: c + 0.5),
        "iscell NaN": resaved("plane0/iscell.npy", _nan),
        "Fneu of another run": resaved("plane0/Fneu.npy", lambda f: f[:, :50]),
        "no cell": resaved("plane0/iscell.npy", lambda c: c * 0),
        **{f"sfreq {v}": restated(sfreq=v) for v in (0, -5, float("nan"), "fast")},
        "unknown trace": restated(calcium={"traces": "G"}),
        "unknown option": restated(calcium={"neurpil": 0.7}),
        "dff wrong": restated(calcium={"dff": {"window": -1}}),
    },
    "caiman": {
        **cuts("s01.hdf5", (0.1, 0.4, 0.8, 0.99)),
        **data("s01.hdf5", "estimates/idx_components", beyond=lambda i: i + 10, negative=lambda i: i - 3),
        **data("s01.hdf5", "estimates/C", all_NaN=_nan, flat=np.ravel, empty=lambda c: c[:, :0]),
        "no rate": h5("s01.hdf5", lambda f: f.pop("params")),
        **data("s01.hdf5", "params/data/fr", zero=lambda r: 0.0, negative=lambda r: -30.0, NaN=lambda r: float("nan")),
    },
    "phy": {
        **cuts("spike_times.npy", (0.0, 0.01, 0.5, 0.99)),
        **cuts("spike_clusters.npy", (0.01, 0.5)),
        "spikes unsorted": resaved("spike_times.npy", lambda t: t[::-1]),
        "spikes NaN": resaved("spike_times.npy", _nan),
        "spikes negative": resaved("spike_times.npy", lambda t: t - 1_000),
        "clusters short": resaved("spike_clusters.npy", lambda c: c[:-3]),
        "clusters broken": resaved("spike_clusters.npy", lambda c: c + 0.5),
        "no params": gone("params.py"),
        "no clusters": gone("spike_clusters.npy"),
        **{f"rate {v}": swapped("params.py", "30000.", v) for v in ("0", "-1", "abc", "(", "1e999", "'30'")},
        "no groups": gone("cluster_group.tsv"),
        "groups without ids": swapped("cluster_group.tsv", "cluster_id", "cluster"),
        "group twice": swapped("cluster_group.tsv", "7", "0"),
    },
    "temporal": {
        **cuts("s01.h5"),
        **flips("s01.h5", 4, 0, 100),
        **data(
            "s01.h5",
            "spikes/timestamps",
            NaN=_nan,
            unsorted=lambda t: t[::-1],
            short=lambda t: t[:-5],
            negative=lambda t: t - 5,
            ms=lambda t: t * 1e5,
        ),
        **data("s01.h5", "spikes/unit_index", beyond=lambda u: u + 5, negative=lambda u: u - 1),
        **data("s01.h5", "units/id", twice=lambda i: i[[0, 0, 1]]),
        **data(
            "s01.h5",
            "cursor/timestamps",
            NaN=_nan,
            backward=lambda t: t[::-1],
            short=lambda t: t[:-5],
            wild=lambda t: np.r_[t[:-1], 1e12],
        ),
        **data("s01.h5", "domain/end", before=lambda e: e - 20, NaN=_nan),
        **data("s01.h5", "cursor/vel", all_NaN=_nan),
    },
    "spike_npz": {
        **cuts("s01.npz", (0.0, 0.3, 0.6, 0.9, 0.99)),
        **flips("s01.npz", 8),
        "times NaN": rezipped("s01.npz", spike_times=_nan),
        "times unsorted": rezipped("s01.npz", spike_times=lambda t: t[::-1]),
        "units short": rezipped("s01.npz", spike_units=lambda u: u[:-5]),
        "units beyond": rezipped("s01.npz", spike_units=lambda u: u + 2),
        "segments overlap": restated(spikes={"segments": [[0.0, 6.0], [5.0, 10.0]]}),
        "segments reversed": restated(spikes={"segments": [[5.0, 0.0]]}),
        "segments odd": restated(spikes={"segments": [0.0, 5.0, 6.0]}),
        "segments beyond": restated(spikes={"segments": [[0.0, 50_000.0]]}),
        "duration short": restated(spikes={"duration": 3.0}),
        "stream rate 0": restated(spikes={"streams": {"vel": {"sfreq": 0}}}),
        "stream without clock": restated(spikes={"streams": {"vel": {}}}),
        "trials unequal": rezipped("s01.npz", kinds=lambda k: k[:1]),
    },
    "bids": {
        "electrodes without z": swapped("sub-01/ieeg/sub-01_space-MNI152Lin_electrodes.tsv", "\tz\t", "\tw\t"),
        "contact twice": swapped("sub-01/ieeg/sub-01_space-MNI152Lin_electrodes.tsv", "A2", "A1"),
        "contact unknown": swapped("sub-01/ieeg/sub-01_space-MNI152Lin_electrodes.tsv", "A2", "C2"),
        "coordsystem broken": swapped("sub-01/ieeg/sub-01_space-MNI152Lin_coordsystem.json", "}", ""),
        "coordinates without unit": swapped("sub-01/ieeg/sub-01_space-MNI152Lin_coordsystem.json", '"mm"', '"n/a"'),
        "onset text": swapped("sub-01/ieeg/sub-01_task-x_events.tsv", "4.0", "late"),
        "onset beyond": swapped("sub-01/ieeg/sub-01_task-x_events.tsv", "4.0", "400"),
        "channel missing": swapped("sub-01/ieeg/sub-01_task-x_channels.tsv", "A2", "C2"),
        "no participants": gone("participants.tsv"),
        "channels empty": cut("sub-01/ieeg/sub-01_task-x_channels.tsv", 0.0),
        "events empty": cut("sub-01/ieeg/sub-01_task-x_events.tsv", 0.0),
        **{f"samples {k}": v for k, v in cuts("sub-01/ieeg/sub-01_task-x_ieeg.eeg", (0.0, 0.5, 0.99)).items()},
        "no samples": gone("sub-01/ieeg/sub-01_task-x_ieeg.eeg"),
    },
}
