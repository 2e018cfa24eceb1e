"""`sharebank` with a pause planted between the look and the write, for the race over HTTP."""

from __future__ import annotations

import time

from sharebank.__main__ import main
from sharebank.reservations import booking

if __name__ == "__main__":
    booking.between_check_and_insert = lambda: time.sleep(0.01)
    main()
