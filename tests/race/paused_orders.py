"""`sharebank` with a pause planted between the look at an order and the pledge, for the closing minute over HTTP."""

from __future__ import annotations

import time
from typing import Any

from sharebank.__main__ import main
from sharebank.orders import pledging

_claim = pledging.claim_open


def claim_slowly(*args: Any) -> None:
    """Whoever found it open waits before writing, for the close to come in between."""
    _claim(*args)
    time.sleep(0.003)


if __name__ == "__main__":
    pledging.claim_open = claim_slowly
    main()
