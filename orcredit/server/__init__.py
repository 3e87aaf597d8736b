"""What `orcredit serve` runs: the JSON API, the event stream and the page, on a `Poller`.

OpenRouter is polled once per interval, however many clients there are. Nothing here knows of Typer or Rich.
"""
