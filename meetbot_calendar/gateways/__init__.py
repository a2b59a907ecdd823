"""Speaking to others."""
