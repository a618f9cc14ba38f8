"""What holds for every test."""

from hypothesis import settings

# A deadline for one example fails on a machine that does other work; speed is measured in benchmarks/.
settings.register_profile("seedbed", deadline=None)
settings.load_profile("seedbed")
