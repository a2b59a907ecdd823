"""A world to try things in: the far ends, simulated in their real wire formats."""
