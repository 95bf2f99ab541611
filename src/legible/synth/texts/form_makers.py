"""Makers of the texts of receipts and forms: fields and their values, items, sums, addresses."""

import numpy as np

from legible.synth.texts import figures
from legible.synth.texts.figures import decimal, digits, pick, price
from legible.synth.texts.makers import Sources, count, phrases
from legible.synth.texts.vocabulary import in_capitals

Rng = np.random.Generator


def label(sources: Sources, rng: Rng) -> str:
    """Return the name of a field as it stands before its value: `Date:`, `TOTAL :`, `Invoice No.`."""
    name = (
        pick(rng, phrases("fields") + phrases("totals"))
        if rng.random() < 0.7
        else sources.words.title(rng, count(rng, 1, 2))
    )
    name = in_capitals(name) if rng.random() < 0.4 else name
    return name + pick(rng, (":", ":", ":", " :", "", "", ".", " #", "#:", ".:", "*"))


def labelled(sources: Sources, rng: Rng) -> str:
    """Return a field and its value."""
    name = label(sources, rng)
    value = figures.figure(rng) if rng.random() < 0.75 else sources.words.cased(rng, count(rng, 1, 2))
    return f"{name}{'' if rng.random() < 0.1 else ' '}{value}"


def blank_field(_: Sources, rng: Rng) -> str:
    """Return a field that is still to be filled in."""
    return (
        f"{pick(rng, phrases('fields'))}: {'_' * count(rng, 4, 16)}" if rng.random() < 0.8 else "." * count(rng, 3, 12)
    )


def item(sources: Sources, rng: Rng) -> str:
    """Return a line of a receipt: count, what was bought, price."""
    name = (
        sources.words.capitals(rng, count(rng, 1, 3))
        if rng.random() < 0.7
        else sources.words.title(rng, count(rng, 1, 3))
    )
    if rng.random() < 0.25:
        name += (
            f" {count(rng, 1, 999)}{pick(rng, ('G', 'ML', 'KG', 'CM', 'g', 'ml', 'PCS', 'L', 'x', '%', 'OZ', 'PK'))}"
        )
    quantity = count(rng, 1, 20)
    before = pick(
        rng,
        (
            "",
            "",
            "",
            f"{quantity} ",
            f"{quantity} x ",
            f"{quantity}x ",
            f"{digits(rng, 4)} ",
            f"*{quantity} ",
            f"{quantity}) ",
        ),
    )
    after = pick(
        rng,
        (
            "",
            "",
            f" {price(rng)}",
            f" {price(rng)}",
            f" {decimal(rng)}",
            f" {quantity} {decimal(rng)}",
            f" @ {decimal(rng)}",
            f" {decimal(rng)} {pick(rng, ('SR', 'S', 'T', 'A', 'B', 'F', 'ZRL', '*'))}",
        ),
    )
    return before + name + after


def sums(_: Sources, rng: Rng) -> str:
    """Return a sum: `TOTAL 12.50`, `VAT 20 % 3,45`, `2 X 7.50`."""
    name = pick(rng, phrases("totals"))
    name = in_capitals(name) if rng.random() < 0.5 else name
    rate = f"{pick(rng, ('0', '5', '6', '7', '10', '19', '20', '21'))}{pick(rng, ('%', ' %', '%', '.00%'))}"
    forms = (
        f"{name} {price(rng)}",
        f"{name}: {price(rng)}",
        f"{name} : {decimal(rng)}",
        f"{name} {rate}",
        f"{name} ({rate})",
        f"{name} {rate} {decimal(rng)}",
        f"{count(rng, 1, 30)} X {decimal(rng)}",
        f"{count(rng, 1, 12)} @ {price(rng)}",
        f"{name} (RM)",
        f"{name}({pick(rng, figures.CODES)})",
        f"{name} {pick(rng, figures.CODES)} {decimal(rng)}",
        f"S {decimal(rng)}",
        f"{decimal(rng)} {pick(rng, ('SR', 'A', 'B', 'T'))}",
    )
    return pick(rng, forms)


def place(sources: Sources, rng: Rng) -> str:
    """Return an address, or a company."""
    house, name = f"{count(rng, 1, 200)}{pick(rng, ('', '', 'A', ','))}", sources.words.title(rng, count(rng, 1, 2))
    street = f"{house} {name} {pick(rng, phrases('streets'))}"
    town = f"{digits(rng, 5)} {sources.words.title(rng, 1)}"
    company = f"{sources.words.cased(rng, count(rng, 1, 2))} {pick(rng, phrases('companies'))}"
    text = pick(
        rng,
        (
            street,
            town,
            f"{street}, {town}",
            company,
            company,
            f"No. {street},",
            f"{town}, {sources.words.title(rng, 1)}.",
            f"{sources.words.title(rng, 1)}, {pick(rng, ('NY', 'CA', 'TX', 'MA'))} {digits(rng, 5)}",
        ),
    )
    return in_capitals(text) if rng.random() < 0.35 else text


def saying(sources: Sources, rng: Rng) -> str:
    if rng.random() < 0.5:
        return sources.words.capitals(rng, count(rng, 2, 6))
    text = pick(rng, phrases("sayings"))
    return pick(rng, (text, text, f"*** {text} ***", f"* {text} *", f"-- {text} --"))
