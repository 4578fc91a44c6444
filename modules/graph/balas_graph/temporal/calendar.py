"""Days, months and weeks of the Gregorian calendar, for years of up to nine digits.

A day is an integer: days since 1970-01-01. The calendar repeats every 400 years, so that the
standard library computes within one such round.
"""

from __future__ import annotations

from datetime import date

from balas_graph.errors import QueryError

ROUND_YEARS = 400
ROUND_DAYS = 146_097
# The round that begins in 2000 is the fifth; its first day, as `date` and as days here count.
ROUND = 5
ROUND_ORDINAL = 730_120
ROUND_DAY = 10_957
YEARS_MAX = 999_999_999


def day_of(year: int, month: int, day: int) -> int:
    """The day of a date; QueryError if there is none."""
    number, within = divmod(year, ROUND_YEARS)
    try:
        if abs(year) > YEARS_MAX:
            raise ValueError("year is out of range")
        ordinal = date(2000 + within, month, day).toordinal()
    except (ValueError, OverflowError) as error:
        raise QueryError(f"Invalid date {year}-{month}-{day}: {error}") from error
    return ordinal - ROUND_ORDINAL + ROUND_DAY + (number - ROUND) * ROUND_DAYS


def date_of(day: int) -> tuple[int, int, int]:
    """Year, month and day of the month."""
    number, within = divmod(day - ROUND_DAY, ROUND_DAYS)
    found = date.fromordinal(ROUND_ORDINAL + within)
    year = found.year - 2000 + (number + ROUND) * ROUND_YEARS
    if abs(year) > YEARS_MAX:
        raise QueryError(f"Invalid date: year {year} is out of range")
    return year, found.month, found.day


def plus_months(day: int, months: int) -> int:
    """The same day of the month so many months later, or the last of that month."""
    year, month, wanted = date_of(day)
    year, month = divmod(year * 12 + month - 1 + months, 12)
    return day_of(year, month + 1, min(wanted, month_days(year, month + 1)))


def month_days(year: int, month: int) -> int:
    """How many days a month has."""
    following = divmod(year * 12 + month, 12)
    if month == 12:
        return 31
    return day_of(following[0], following[1] + 1, 1) - day_of(year, month, 1)


def week_day(day: int) -> int:
    """1 for Monday to 7 for Sunday."""
    return (day + 3) % 7 + 1


def ordinal_day(day: int) -> int:
    """The day of the year, from 1."""
    return day - day_of(date_of(day)[0], 1, 1) + 1


def week_of(day: int) -> tuple[int, int]:
    """The year that a week belongs to, and its number: the year that has its Thursday."""
    thursday = day - week_day(day) + 4
    return date_of(thursday)[0], (ordinal_day(thursday) - 1) // 7 + 1


def day_of_week(year: int, week: int, day: int) -> int:
    """The day of a date that is told by its week; QueryError if there is none."""
    fourth = day_of(year, 1, 4)
    found = fourth - week_day(fourth) + 7 * (week - 1) + day
    if not 1 <= day <= 7 or week_of(found) != (year, week):
        raise QueryError(f"Invalid date {year}-W{week}-{day}")
    return found


def day_of_quarter(year: int, quarter: int, day: int) -> int:
    """The day of a date that is told by its quarter; QueryError if there is none."""
    if not 1 <= quarter <= 4:
        raise QueryError(f"Invalid quarter {quarter}")
    found = day_of(year, quarter * 3 - 2, 1) + day - 1
    if day < 1 or date_of(found)[0] != year or quarter_of(found)[0] != quarter:
        raise QueryError(f"Invalid day {day} of quarter {quarter}")
    return found


def quarter_of(day: int) -> tuple[int, int]:
    """The quarter, and the day of it, both from 1."""
    year, month, _ = date_of(day)
    quarter = (month - 1) // 3 + 1
    return quarter, day - day_of(year, quarter * 3 - 2, 1) + 1


def day_of_ordinal(year: int, ordinal: int) -> int:
    """The day of a date that is told by the day of the year; QueryError if there is none."""
    found = day_of(year, 1, 1) + ordinal - 1
    if ordinal < 1 or date_of(found)[0] != year:
        raise QueryError(f"Invalid day {ordinal} of year {year}")
    return found
