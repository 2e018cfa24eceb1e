"""The command `sharebank`: the one place that hands the application to the command line.

The command line stands below the application and cannot import it.
"""

from __future__ import annotations

from sharebank import cli
from sharebank.app import create_app


def main() -> None:
    """Run the command typed."""
    cli.main(create_app)


if __name__ == "__main__":
    main()
