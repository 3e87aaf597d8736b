"""`python -m orcredit`."""

from __future__ import annotations

import sys

from orcredit.cli import main

sys.exit(main())
