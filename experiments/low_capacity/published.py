"""What the paper says: its protocol and its numbers.

Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity Neural Networks",
arXiv 2507.16278 (2025), and the code that its author released.
"""

# In the order of difficulty that the paper asserts. The lower digit is class 0.
PAIRS = ((0, 1), (1, 7), (5, 6), (3, 8), (4, 9))
WIDTHS = (2, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64)
SEEDS = (0, 42, 78)
ENOUGH_F1 = 0.90  # what a sufficient width exceeds

RATE = 0.03
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # among which it was chosen, on 4v9
EPOCHS = 100  # of one full-batch step each
HELD_OUT = 0.2

PRUNED_PERCENT = (10, 15, 20, 30, 40, 50, 80, 90, 95, 99)
SIGMAS = (0.1, 0.2, 0.3, 0.4, 0.5)
PATCH = 7
NOISE_WIDTHS = (24, 48, 64)
DEAD_UNITS_AT = (((0, 1), 12), ((3, 8), 16), ((4, 9), 24))
CLOSE_PAIR, CLOSE_WIDTH, CLOSE_SHARE = (4, 9), 24, 0.95  # what is looked at closely: this network, cut by so much

# Figure 3: best F1 on the training set, mean of three seeds, read off the plot to about 0.005. A number a width.
FIGURE_3 = {
    (0, 1): (0.955, 0.993, 0.994, 0.994, 0.995, 0.995, 0.994, 0.995, 0.995, 0.995, 0.996),
    (1, 7): (0.795, 0.952, 0.972, 0.967, 0.974, 0.974, 0.975, 0.978, 0.978, 0.980, 0.977),
    (5, 6): (0.71, 0.84, 0.81, 0.933, 0.925, 0.947, 0.937, 0.943, 0.953, 0.949, 0.955),
    (3, 8): (0.72, 0.873, 0.859, 0.874, 0.875, 0.903, 0.891, 0.900, 0.904, 0.918, 0.917),
    (4, 9): (0.61, 0.73, 0.75, 0.79, 0.83, 0.869, 0.80, 0.882, 0.900, 0.901, 0.921),
}

# F1 on 4v9 under Gaussian noise, by sigma 0.1 ... 0.5, and under occlusion, for the widths given.
GAUSSIAN_F1 = {24: (0.881, 0.853, 0.802, 0.730, 0.669), 64: (0.917, 0.908, 0.869, 0.819, 0.766)}
OCCLUSION_F1 = {24: 0.847, 48: 0.860, 64: 0.862}

# F1 on 4v9 against learning rate, a row per width and a column per rate of RATES, by one run of the author's.
RATE_F1 = {
    2: (0.18, 0.67, 0.51, 0.54, 0.67, 0.73),
    4: (0.07, 0.29, 0.46, 0.66, 0.66, 0.75),
    6: (0.33, 0.58, 0.56, 0.67, 0.63, 0.78),
    8: (0.20, 0.01, 0.07, 0.69, 0.49, 0.82),
    10: (0.06, 0.63, 0.11, 0.67, 0.71, 0.82),
    12: (0.61, 0.63, 0.00, 0.58, 0.75, 0.84),
    16: (0.52, 0.44, 0.47, 0.60, 0.70, 0.83),
    24: (0.55, 0.53, 0.42, 0.23, 0.78, 0.80),
    32: (0.65, 0.64, 0.23, 0.33, 0.77, 0.90),
    48: (0.65, 0.66, 0.60, 0.56, 0.77, 0.91),
    64: (0.14, 0.61, 0.70, 0.49, 0.83, 0.91),
}
