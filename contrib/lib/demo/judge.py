"""What the counters prove. Nothing here believes the plugin: it knows how much the ping-pong sent, and looks for it."""

_MOST = 0.9  # of the messages' bytes; headers and Slurm's own traffic come on top
_LITTLE = 0.1


def verdict(counted, payload):
    """How the messages went, by a node's counters and the bytes the ping-pong sent and received there."""
    verbs, tcp = counted.verbs / payload, counted.tcp / payload
    if verbs >= _MOST and tcp < _LITTLE:
        return "native"
    if tcp >= _MOST and verbs < _LITTLE:
        return "not native"
    return "unclear"


def failures(today, verbs, bare):
    """What was not as it should be, a short phrase each; none if the demo showed what it is to show."""
    found = [f"run {run.number} did not work: {run.failure}" for run in (today, verbs, bare) if run.failure]
    if not today.failure:
        found += _each(today, "had InfiniBand devices in the container", lambda r: r.devices)
        found += _each(today, "went over verbs", lambda r: r.verdict == "native")
        found += _each(today, "cannot be judged by the counters", lambda r: r.verdict not in ("native", "not native"))
    if not verbs.failure:
        found += _each(verbs, "was not native by the counters", lambda r: r.verdict != "native")
        found += _each(verbs, "was not native by the plugin", lambda r: r.plugin_verdict != "native")
    return found


def _each(run, phrase, failed):
    """The phrase with the nodes of a run that it is true of."""
    nodes = [node for node, result in run.nodes.items() if failed(result)]
    return [f"run {run.number} {phrase} (on {' and '.join(nodes)})"] if nodes else []
