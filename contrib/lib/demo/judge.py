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
    """What was not as it should be, one short sentence each; none if the demo showed what it is to show."""
    found = []
    for run in (today, verbs, bare):
        if run.failure:
            found.append(f"run {run.number} ({run.name}): {run.failure}")
    if not today.failure:
        for node, result in today.nodes.items():
            if result.devices:
                found.append(f"run {today.number}: {node} saw {' '.join(result.devices)}, so it is no fair comparison")
            if result.verdict == "native":
                found.append(f"run {today.number} went over verbs on {node}")
            elif result.verdict != "not native":
                found.append(f"run {today.number}: the counters of {node} cannot tell what carried the messages")
    if not verbs.failure:
        for node, result in verbs.nodes.items():
            if result.verdict != "native":
                found.append(f"run {verbs.number} was not native on {node} by the counters: {result.verdict}")
            if result.plugin_verdict != "native":
                found.append(
                    f"run {verbs.number} was not native on {node} by the plugin: {result.plugin_verdict or 'no verdict'}"
                )
    return found
