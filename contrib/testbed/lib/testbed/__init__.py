"""The testbed: an InfiniBand cluster of Slurm nodes in one or two virtual machines.

Read in this order: `cli` (what can be asked), `image` (what a guest is made of), `boot` (how it comes up), `access`
(how commands get in), and `instance` (what is remembered about a running guest).
"""
