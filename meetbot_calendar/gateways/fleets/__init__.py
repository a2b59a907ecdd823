"""One bot fleet's API each, behind the port."""
