"""Numbers, prices, measures, dates, times, telephone numbers, codes and addresses, as on receipts and screens."""

import string
from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
Forms = tuple[Callable[[], str], ...]

MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
    "January",
    "February",
    "March",
    "April",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
SIGNS = ("€", "€", "€", "$", "$", "£", "£", "¥")
CODES = ("EUR", "USD", "GBP", "RM", "CHF", "SEK", "Kč", "zł", "kr", "Ft", "Rs.", "INR", "CAD")
UPPERS = string.ascii_uppercase
UPPER_DIGITS = string.ascii_uppercase + string.digits
COUNTRIES = ("49", "33", "44", "420", "39", "1", "60")
DOMAINS = ("com", "org", "net", "co.uk", "de", "fr", "cz", "it", "io", "eu")
VOWELS, CONSONANTS = "aeiou", "bcdfghklmnprstvwz"


def pick(rng: Rng, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def digits(rng: Rng, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def some(alphabet: str, rng: Rng, count: int) -> str:
    return "".join(alphabet[int(place)] for place in rng.integers(0, len(alphabet), count))


def decimal(rng: Rng, *, exponent: tuple[float, float] = (0.0, 4.0)) -> str:
    """Return an amount with two decimals as several countries write it: 1,234.50 1.234,50 1 234,50 1234.50 12-."""
    value = 10 ** rng.uniform(*exponent)
    english = f"{value:,.2f}"
    chance = rng.random()
    if chance < 0.5:
        return english
    if chance < 0.65:
        return english.replace(",", "")
    if chance < 0.85:
        return english.translate(str.maketrans(",.", ".,"))
    if chance < 0.95:
        return english.translate(str.maketrans(",.", " ,"))
    return f"{int(value)},-" if chance < 0.97 else f"{int(value)}.-"


def price(rng: Rng) -> str:
    """Return an amount with or without a currency, before or after it, with or without a space."""
    amount = decimal(rng, exponent=(-0.3, 3.2))
    chance = rng.random()
    if chance < 0.4:
        return amount
    if chance < 0.65:
        return pick(rng, SIGNS) + ("" if rng.random() < 0.8 else " ") + amount
    if chance < 0.8:
        return amount + (" " if rng.random() < 0.7 else "") + pick(rng, ("€", "€", "€", "£", "$"))
    if chance < 0.9:
        return f"{pick(rng, CODES)} {amount}"
    return f"{amount} {pick(rng, CODES)}" if chance < 0.96 else f"-{amount}"


def date(rng: Rng) -> str:
    day, month, year = int(rng.integers(1, 32)), int(rng.integers(1, 13)), int(rng.integers(1930, 2031))
    name = pick(rng, MONTHS)
    sign = pick(rng, ("/", "/", ".", "-"))
    forms = (
        f"{day:02}{sign}{month:02}{sign}{year}",
        f"{day:02}{sign}{month:02}{sign}{year % 100:02}",
        f"{day}.{month}.{year}",
        f"{day}. {month}. {year}",
        f"{year}-{month:02}-{day:02}",
        f"{month}/{day}/{year}",
        f"{day} {name} {year}",
        f"{name} {day}, {year}",
        f"{day:02}-{name.upper()}-{year % 100:02}",
        f"{month:02}/{year}",
        f"{day:02} {name} {year % 100:02}",
        f"{day:02}{month:02}{year}",
    )
    return forms[int(rng.integers(len(forms)))]


def time(rng: Rng) -> str:
    hour, minute, second = int(rng.integers(0, 24)), int(rng.integers(0, 60)), int(rng.integers(0, 60))
    half = pick(rng, ("AM", "PM", "am", "pm"))
    forms = (
        f"{hour:02}:{minute:02}",
        f"{hour:02}:{minute:02}:{second:02}",
        f"{hour % 12 + 1}:{minute:02} {half}",
        f"{hour % 12 + 1:02}:{minute:02}:{second:02} {half}",
        f"{hour:02}:{minute:02}",
        f"{hour}.{minute:02}",
        f"{hour % 12 + 1}:{minute:02}{half}",
        f"{hour:02}h{minute:02}",
    )
    return forms[int(rng.integers(len(forms)))]


def telephone(rng: Rng) -> str:
    forms: Forms = (
        lambda: f"+{pick(rng, COUNTRIES)} {digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)}",
        lambda: f"0{digits(rng, 2)}-{digits(rng, 4)} {digits(rng, 4)}",
        lambda: f"({digits(rng, 3)}) {digits(rng, 3)}-{digits(rng, 4)}",
        lambda: f"{digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}",
        lambda: f"0{digits(rng, 1)}-{digits(rng, 8)}",
        lambda: f"0{digits(rng, 3)}/{digits(rng, 6)}",
        lambda: " ".join(digits(rng, 2) for _ in range(5)),
    )
    return forms[int(rng.integers(len(forms)))]()


def groups(rng: Rng) -> str:
    """Return digits in groups with spaces or dashes, as on cards, accounts and parcels."""
    size = int(rng.integers(2, 6))
    return pick(rng, (" ", " ", " ", "-", ".")).join(digits(rng, size) for _ in range(int(rng.integers(2, 6))))


def long_number(rng: Rng) -> str:
    return digits(rng, int(rng.integers(5, 19)))


def code(rng: Rng) -> str:
    """Return capitals and digits in blocks, sometimes as a program writes them: hexadecimal, versions, paths."""
    blocks = [some(UPPER_DIGITS, rng, int(rng.integers(1, 6))) for _ in range(int(rng.integers(1, 4)))]
    forms: Forms = (
        lambda: pick(rng, ("-", "-", "/", " ", ".", "")).join(blocks),
        lambda: some(string.ascii_uppercase, rng, int(rng.integers(1, 4))) + digits(rng, int(rng.integers(2, 8))),
        lambda: (
            some(string.ascii_uppercase, rng, int(rng.integers(1, 4)))
            + pick(rng, (" ", "-"))
            + digits(rng, int(rng.integers(2, 6)))
        ),
        lambda: some("0123456789abcdef", rng, int(rng.integers(6, 17))),
        lambda: "#" + some("0123456789ABCDEF", rng, 6),
        lambda: ".".join(str(int(n)) for n in rng.integers(0, 256, 4)),
        lambda: f"v{int(rng.integers(0, 20))}.{int(rng.integers(0, 30))}.{int(rng.integers(0, 30))}",
        lambda: some(string.ascii_letters + string.digits, rng, int(rng.integers(6, 13))),
        lambda: f"{some(UPPER_DIGITS, rng, 4)}{digits(rng, 4)} {digits(rng, 4)} {digits(rng, 4)}",
    )
    chances = np.cumsum([0.3, 0.2, 0.14, 0.08, 0.04, 0.06, 0.04, 0.07, 0.07])
    return forms[min(int(np.searchsorted(chances, rng.random())), len(forms) - 1)]()


def number(rng: Rng) -> str:
    value = int(10 ** rng.uniform(0, 6))
    forms = (
        f"{value}",
        f"{value}",
        f"{value:,}",
        f"{value:,}".replace(",", "."),
        f"{value:,}".replace(",", " "),
        f"{value / 10:.1f}",
        f"{value / 1000:.3f}",
        f"-{value}",
        f"+{value}",
        f"{value % 101}%",
        f"{value % 101} %",
        f"{value / 100:.2f}".replace(".", ","),
        f"{value}.",
        f"1e-{value % 20}",
        f"10^{value % 10}",
        f"{value % 100}/{value % 37 + 1}",
        f"{value % 30}x{value % 17}",
        f"{value % 90 + 10} x {value % 70 + 10}",
    )
    return forms[int(rng.integers(len(forms)))]


def measure(rng: Rng) -> str:
    value = f"{10 ** rng.uniform(-1, 3):.{int(rng.integers(0, 3))}f}"
    unit = pick(
        rng,
        (
            "kg",
            "g",
            "ml",
            "l",
            "cm",
            "mm",
            "m²",
            "m³",
            "kWh",
            "V",
            "W",
            "°C",
            "°F",
            "µm",
            "µg",
            "°",
            "km/h",
            "Hz",
            "mg",
        ),
    )
    forms = (f"{value} {unit}", f"{value}{unit}", f"±{value} {unit}", f"{value.replace('.', ',')} {unit}")
    return forms[int(rng.integers(len(forms)))]


def address(rng: Rng, name: str, place: str) -> str:
    """Return the address of a site or a mailbox."""
    domain = pick(rng, DOMAINS)
    forms = (
        f"www.{name}.{domain}",
        f"{name}@{place}.{domain}",
        f"{name}.{place}@{place}.{domain}",
        f"https://{name}.{domain}/{place}",
        f"{name}.{domain}",
        f"http://www.{name}.{domain}",
        f"/{name}/{place}.txt",
        f"C:\\{name}\\{place}",
        f"~/.{name}rc",
        f"@{name}",
        f"#{name}",
        f"{name}_{place}.pdf",
        f"{name}-{place}.jpg",
    )
    return forms[int(rng.integers(len(forms)))]


def figure(rng: Rng) -> str:
    """Return any of the figures."""
    makers: tuple[Callable[[Rng], str], ...] = (
        price,
        price,
        decimal,
        date,
        time,
        telephone,
        groups,
        long_number,
        code,
        number,
        number,
        measure,
    )
    return makers[int(rng.integers(len(makers)))](rng)
