"""Reproductions of papers on small networks, one module per paper, on top of a small bench."""
