"""The benchmarks themselves: each takes a Context and gives a flat dict of figures for one run."""
