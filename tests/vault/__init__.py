"""A double of Vault over HTTP, and the set-up that it and a real server are given alike."""
