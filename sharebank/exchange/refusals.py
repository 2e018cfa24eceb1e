"""What may be wrong with a file, a row or a cell: one class each, its code for programs, its sentence for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sharebank.core.errors import N_, Refused


def short(value: str, most: int = 60) -> str:
    """A cell as a message quotes it: on one line, and never a whole page."""
    text = " ".join(value.split())
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: the physical line where its row starts, the column, and what."""

    line: int
    column: str
    refusal: Refused

    def said(self, file: str, say: Callable[[Refused], str] = str) -> str:
        """`FILE:LINE: column: what is wrong`, in English unless `say` says it otherwise."""
        return f"{file}:{self.line}: {self.column}: {say(self.refusal)}"


class ImportRefused(Refused):
    """Nothing of the file was stored; carries every problem found."""

    code = "import_refused"
    sentence = N_("%(file)s was not imported: %(count)s problems.")

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__(file=file, count=len(problems))
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))

    def __str__(self) -> str:
        """Every problem on a line of its own."""
        return self.told()

    def told(self, say: Callable[[Refused], str] = str) -> str:
        """The same in other words than the English ones."""
        return "\n".join(problem.said(self.facts["file"], say) for problem in self.problems)


class UnknownKind(Refused):
    """A kind of file nobody here reads."""

    code = "unknown_kind"
    sentence = N_("“%(value)s” is nothing we import or export. We know %(known)s.")


# -- the file ----------------------------------------------------------------------------------------


class EmptyFile(Refused):
    """Nothing to read."""

    code = "empty_file"
    sentence = N_("The file is empty.")


class TooBig(Refused):
    """More than anyone types."""

    code = "too_big"
    sentence = N_("The file is larger than %(most)s MB. Cut it into several.")


class NotText(Refused):
    """Not a CSV file in an encoding we know."""

    code = "not_text"
    sentence = N_("This is not a CSV file. In your spreadsheet, choose “Save as”, then “CSV UTF-8”.")


class MixedEncoding(Refused):
    """Half UTF-8, half Windows-1252: either reading would garble the other half."""

    code = "mixed_encoding"
    sentence = N_("The accents are written in two encodings at once. Save the file again as “CSV UTF-8”.")


class MissingColumns(Refused):
    """The heading does not say what is needed."""

    code = "missing_columns"
    sentence = N_("These columns are missing: %(missing)s. Columns known: %(known)s.")


class ColumnTwice(Refused):
    """Two columns of one name: which to believe?"""

    code = "column_twice"
    sentence = N_("This column is there twice.")


class UnknownColumn(Refused):
    """A warning, not a refusal: the column is not read."""

    code = "unknown_column"
    sentence = N_("No such column is known: it was not read.")


class BadQuotes(Refused):
    """A quotation mark that opens and never closes, or closes inside a cell."""

    code = "bad_quotes"
    sentence = N_("The quotation marks do not match from here on: the rest of the file was not read.")


class WrongWidth(Refused):
    """Too few cells, or too many."""

    code = "wrong_width"
    sentence = N_("This row has %(count)s cells, the heading has %(expected)s.")


# -- a cell ------------------------------------------------------------------------------------------


class Missing(Refused):
    """An empty cell where something is needed."""

    code = "missing"
    sentence = N_("This cell is empty and must not be.")


class LongText(Refused):
    """More characters than we keep."""

    code = "long_text"
    sentence = N_("This text has %(length)s characters; %(most)s at most.")


class NotWhole(Refused):
    """Not a whole number."""

    code = "not_whole"
    sentence = N_("“%(value)s” is not a whole number.")


class NotNumber(Refused):
    """Not a number."""

    code = "not_number"
    sentence = N_("“%(value)s” is not a number.")


class OutOfBounds(Refused):
    """A number beyond all sense."""

    code = "out_of_bounds"
    sentence = N_("“%(value)s” is out of bounds: from %(low)s to %(high)s.")


class TooFine(Refused):
    """More decimals than we keep."""

    code = "too_fine"
    sentence = N_("“%(value)s” has more than two decimals.")


class ZeroQuantity(Refused):
    """Nothing of something."""

    code = "zero_quantity"
    sentence = N_("The quantity is zero; it must be at least 1.")


class NegativeQuantity(Refused):
    """Less than nothing."""

    code = "negative_quantity"
    sentence = N_("The quantity “%(value)s” is negative; it must be at least 1.")


class InvalidDate(Refused):
    """Not a date, or not one of the calendar."""

    code = "invalid_date"
    sentence = N_("“%(value)s” is not a day of the calendar; write 2026-12-31 or 31/12/2026.")


class InvalidTime(Refused):
    """Not a date and time, or not one of the calendar."""

    code = "invalid_date"
    sentence = N_("“%(value)s” is not a time of the calendar; write 2026-12-31T18:30 or 31/12/2026 18:30.")


class NotAChoice(Refused):
    """None of the words known."""

    code = "not_a_choice"
    sentence = N_("“%(value)s” is none of: %(choices)s.")


class BadCode(Refused):
    """A code goes into addresses and on labels."""

    code = "bad_code"
    sentence = N_("“%(value)s” is no code: letters, digits, hyphens, dots and underscores only.")


class BadEmail(Refused):
    """Not an e-mail address."""

    code = "bad_email"
    sentence = N_("“%(value)s” is not an e-mail address.")


class BadColour(Refused):
    """Not a colour."""

    code = "bad_colour"
    sentence = N_("“%(value)s” is not a colour such as #2F6F8F.")


class BadHours(Refused):
    """Not opening hours."""

    code = "bad_hours"
    sentence = N_("“%(value)s” is not how opening hours are written: mon-fri 08:30-12:00,13:30-18:30; sat closed.")


class BadPriority(Refused):
    """Not a priority."""

    code = "bad_priority"
    sentence = N_("“%(value)s” is not a priority such as “wed;school_holidays: houses first until 30 days before”.")


class BadAttributes(Refused):
    """Not a list of attributes."""

    code = "bad_attributes"
    sentence = N_("“%(value)s” is not written key=value; key=value, each key once.")


# -- a row among the others --------------------------------------------------------------------------


class DuplicateRow(Refused):
    """The same thing twice in one file."""

    code = "duplicate_row"
    sentence = N_("“%(value)s” is on line %(line)s already.")


class RunsEverything(Refused):
    """A warning, not a refusal: who is administrator of one structure is of all."""

    code = "runs_everything"
    sentence = N_("An administrator runs the whole cooperation, not only “%(value)s”: did you mean “manager”?")


class BadPhone(Refused):
    """Not a phone number."""

    code = "bad_phone"
    sentence = N_("“%(value)s” is no phone number: only digits, spaces, dots and a leading +.")


class Differs(Refused):
    """Two rows about one person that disagree."""

    code = "differs"
    sentence = N_("“%(value)s” is not what line %(line)s says of the same person.")


class UnknownHouse(Refused):
    """No such house."""

    code = "unknown_house"
    sentence = N_("There is no house with the code “%(value)s”.")


class NotAHouse(Refused):
    """What is a house stays one, and the other way round."""

    code = "not_a_house"
    sentence = N_("“%(value)s” is known as “%(kind)s”: it cannot become something else.")


class OwnHouse(Refused):
    """A house is attached to itself."""

    code = "own_house"
    sentence = N_("A house is attached to itself: write “%(value)s”.")


class UnknownRuleSet(Refused):
    """No such rule set."""

    code = "unknown_rule_set"
    sentence = N_("There is no rule set named “%(value)s”.")


class UnknownStructure(Refused):
    """No such organisation."""

    code = "unknown_organisation"
    sentence = N_("There is no structure with the code “%(value)s”.")


class UnknownUser(Refused):
    """No such person."""

    code = "unknown_user"
    sentence = N_("Nobody here has the address “%(value)s”.")


class NotTheirs(Refused):
    """Somebody who may not book for this organisation."""

    code = "user_not_in_organisation"
    sentence = N_("“%(value)s” is neither of %(organisation)s nor of the staff of its house.")


class FewerThanPromised(Refused):
    """A pool cannot shrink below what has been booked."""

    code = "fewer_than_promised"
    sentence = N_("%(promised)s are booked already; %(value)s would not be enough.")


class DuplicateRef(Refused):
    """A reference names one reservation for ever."""

    code = "duplicate_ref"
    sentence = N_("“%(value)s” is already the reference of another reservation.")


class Overlap(Refused):
    """Somebody has it."""

    code = "overlap"
    sentence = N_("Taken from %(start)s to %(end)s (%(ref)s).")


class OverQuantity(Refused):
    """Fewer are free than asked for."""

    code = "over_quantity"
    sentence = N_("%(free)s of %(quantity)s are free at that time.")


class Buffer(Refused):
    """It would be free, were there not time to keep between two loans."""

    code = "buffer"
    sentence = N_("Too close to %(ref)s: %(before)s minutes are kept free before each loan and %(after)s after.")
