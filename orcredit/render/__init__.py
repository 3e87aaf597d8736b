"""Terminal renderings: the status table, the live view, the history and the prompt line."""
