"""`orcredit doctor`: checks of what orcredit uses on this machine, each fine or with what to do."""

from orcredit.diagnosis.check import Check, State
from orcredit.diagnosis.diagnose import diagnose
from orcredit.diagnosis.setup import Setup

__all__ = ["Check", "Setup", "State", "diagnose"]
