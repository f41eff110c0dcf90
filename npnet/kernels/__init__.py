"""The Numba kernels: plain loop nests that are read, stepped through and run.

Kernels fill arrays that the caller gives, draw no random numbers and check nothing; the public functions of
`npnet` do the checking. `policy` says how they are compiled, `matmul` holds the three matrix products, `activations`
and `losses` the element-wise parts, and `passes` puts them together into forward and backward.
"""
