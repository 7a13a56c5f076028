"""
A decoder in three lines
========================

Two classes of trials differ in the power of one electrode. ``brainfm.Decoder`` is a scikit-learn classifier for
``mne.Epochs``, or for arrays ``[trial, channel, time]``.
"""

# %%
# Eight people, forty trials each: the alpha rhythm over C3 is weaker in one class.

import matplotlib.pyplot as plt
import mne
import numpy as np
from sklearn.model_selection import GroupKFold, cross_val_predict

import brainfm

rng = np.random.default_rng(0)
ch_names, sfreq = ["Fz", "C3", "Cz", "C4", "Pz", "Oz"], 128.0
subjects, y = np.repeat(np.arange(8), 40), np.tile([0, 1], 160)
time = np.arange(int(sfreq)) / sfreq
alpha = np.sin(2 * np.pi * (10 * time + rng.random((320, 1))))  # [trial, time]
X = rng.normal(scale=10e-6, size=(320, len(ch_names), len(time)))
X[:, 1] += 7e-6 * np.where(y == 1, 0.4, 1.0)[:, None] * alpha

info = mne.create_info(ch_names, sfreq, "eeg")
events = np.column_stack([np.arange(320) * 200, np.zeros(320, int), y + 1])
epochs = mne.EpochsArray(X, info, events, event_id={"rest": 1, "move": 2}, verbose="error")

# %%
# Fitted on six people, asked about two others: that is all.

decoder = brainfm.Decoder("ShallowConvNet", max_steps=100).fit(epochs[subjects < 6], groups=subjects[subjects < 6])
predicted = decoder.predict(epochs[subjects >= 6])
print(f"accuracy in two people never seen: {np.mean(predicted == epochs[subjects >= 6].events[:, 2]):.2f}")

# %%
# It goes wherever scikit-learn goes: here each person is predicted by a model that has not seen them.

probability = cross_val_predict(
    brainfm.Decoder("ShallowConvNet", sfreq=sfreq, max_steps=100),
    X,
    y,
    groups=subjects,
    cv=GroupKFold(4),
    method="predict_proba",
)
accuracy = [np.mean((probability[subjects == s, 1] > 0.5) == y[subjects == s]) for s in range(8)]

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.bar(np.arange(8), accuracy, color="#0072b2")
axes.axhline(0.5, color="black", ls=":", label="chance")
axes.set(xlabel="person", ylabel="accuracy", ylim=(0, 1))
_ = axes.legend()

# %%
# For an honest table with baselines, intervals and tests, write a recipe: see :doc:`/guides/recipes`.
