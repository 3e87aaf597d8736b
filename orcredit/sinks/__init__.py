"""What happens with every snapshot beside showing it.

A sink has `async handle(snapshot)` (`orcredit.monitor.Sink`) and is added to a `Hub`, which runs it in a separate task:
however long it takes, no poll and no other sink waits for it. A sink that keeps something says by an event when it
cannot (`Hub.report`).
"""
