"""The back door: what happens without a request."""
