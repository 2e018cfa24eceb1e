"""Files in and out: CSV from any spreadsheet, all of it or nothing, and the same shapes back."""

from sharebank.exchange.checking import Report
from sharebank.exchange.importing import import_bytes, import_file
from sharebank.exchange.kinds import KINDS
from sharebank.exchange.prices import prices_of_file
from sharebank.exchange.refusals import ImportRefused, Problem
from sharebank.exchange.writing import export_text

__all__ = [
    "KINDS",
    "ImportRefused",
    "Problem",
    "Report",
    "export_text",
    "import_bytes",
    "import_file",
    "prices_of_file",
]
