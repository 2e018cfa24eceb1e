"""Files in and out: CSV from any spreadsheet, all of it or nothing, and the same shapes back."""

from sharebank.exchange.importing import Report, import_bytes, import_file
from sharebank.exchange.kinds import KINDS
from sharebank.exchange.refusals import ImportRefused, Problem
from sharebank.exchange.writing import export_text

__all__ = ["KINDS", "ImportRefused", "Problem", "Report", "export_text", "import_bytes", "import_file"]
