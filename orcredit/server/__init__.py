"""What `orcredit serve` runs: the JSON API, the event stream and the chart page, on a `Monitor`.

However many browsers look, OpenRouter is asked once per interval. Nothing here knows of Typer or Rich.
"""
