"""Training: from decoded cells to a tested model folder. Needs torch.

    recipe.py ──> trainer.py (classifier.py, augmentation.py) ──> packaging.py ──> model folder
        ▲              │ after every epoch
        │              ▼
    initial_weights.py   checkpoint.py

recipe.py             Recipe: every number that decides what a network learns; the presets
initial_weights.py    weights to start from: a network of hemozoin, of Keras or of timm
classifier.py         the torch module: input transform, MobileNet, softmax
augmentation.py       random changes of a batch of cells
stippling.py          healthy cells become cells with the stippling of Plasmodium vivax
trainer.py            the training loop
replicas.py           parts of a batch on threads of their own
checkpoint.py         saves and loads the state after an epoch
distributed.py        several processes started by torchrun
device.py             CPU or GPU, deterministic algorithms
packaging.py          calibration, threshold, review band, ONNX graph: the bundle
runs/                 whole runs: train, resume, cross-validate
"""
