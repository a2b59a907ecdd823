"""The control API: how a story or a test moves the world. No keys, loopback only."""
