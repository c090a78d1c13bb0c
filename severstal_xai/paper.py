"""The SISE paper's figures on Severstal that several rooms stand beside their own (Sattarzadeh et al., AAAI 2021)."""

PAPER_NETWORK = "resnet101"
"""The network of all of these, by its name here."""

TABLE_3 = {0: (16620, 7124), 1: (935, 401), 2: (147, 63), 3: (8166, 3500), 4: (971, 417)}
"""Patches of each class for training, validation included, and for the test."""

TABLE_5 = (
    (0.89, 0.011, 0.0056, 0.077, 0.012),
    (0.27, 0.59, 0.02, 0.12, 0.0025),
    (0.095, 0.032, 0.71, 0.16, 0.0),
    (0.12, 0.014, 0.004, 0.85, 0.0086),
    (0.15, 0.0072, 0.0024, 0.16, 0.67),
)
"""ResNet-101's confusion matrix on the test: rows are the actual classes, as shares, rounded by the paper."""

TOP_1, TOP_3 = 0.8658, 0.9960
"""ResNet-101's shares of test patches whose class is the likeliest, or among the three likeliest (appendix "ResNet-101")."""
