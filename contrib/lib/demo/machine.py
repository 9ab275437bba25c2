"""Is this a machine that the demo can run on?"""

import shlex

_OLDEST = 12


def unfit(os_release):
    """What is wrong with a machine, by its /etc/os-release; nothing if it will do."""
    facts = dict(word.split("=", 1) for word in shlex.split(os_release, comments=True) if "=" in word)
    version = facts.get("VERSION_ID", "")  # testing and unstable have none
    if facts.get("ID") == "debian" and (not version.isdigit() or int(version) >= _OLDEST):
        return ""
    name = facts.get("PRETTY_NAME", "no system that says its name in /etc/os-release")
    return f"this is {name}; the demo needs Debian {_OLDEST} or later, a virtual machine with it will do"
