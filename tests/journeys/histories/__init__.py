"""Random histories of a simulated world, and whether our picture of it is true at their end."""
