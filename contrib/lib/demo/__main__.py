"""The demo; see `contrib/demo --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo.cli import main  # noqa: E402  (the path above comes first)

sys.exit(main())
