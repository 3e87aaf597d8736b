"""Where keys, addresses and options come from, and which secret may travel where."""
