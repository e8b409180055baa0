"""An independent oracle for recado-calc, on Python's own fractions and decimals.

Arguments: the limits, as NAME=VALUE. Standard input: one case a line, `operation x y precision`, the
precision `-` where none is asked for. Standard output, a line each: the canonical x and y, the result,
`exact` or `rounded`, the fraction and the repeating decimal, separated by tabs; `-` for what is
absent. A refusal is one word.

The method shares nothing with the crate's: values are Fractions, rounding is the decimal module's,
and periods are found by school division, one digit at a time.
"""

import decimal
import sys
from decimal import Decimal
from fractions import Fraction

sys.set_int_max_str_digits(0)
LIMITS = {name: int(value) for name, value in (pair.split("=") for pair in sys.argv[1:])}
MAX_PLAIN = LIMITS["plain"]
WIDE = decimal.Context(
    prec=200_000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, rounding=decimal.ROUND_HALF_EVEN
)


def canonical(value):
    """The text of a Decimal: no needless zeros, plain up to the limit, else scientific."""
    if not value:
        return "0"
    value = value.normalize(WIDE)
    sign, digits, exponent = value.as_tuple()
    # Formatting a huge exponent in full would only be thrown away.
    if abs(value.adjusted()) <= MAX_PLAIN:
        plain = format(value, "f")
        if len(plain) <= MAX_PLAIN:
            return plain
    digits = "".join(map(str, digits))
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{'-' * sign}{mantissa}e{value.adjusted():+d}"


def as_decimal(fraction):
    """The Decimal equal to a Fraction, or None if there is none."""
    rest, power = fraction.denominator, 0
    while rest % 10 == 0:
        rest, power = rest // 10, power + 1
    for prime in (2, 5):
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
    if rest != 1:
        return None
    whole = fraction * 10**power
    assert whole.denominator == 1
    return Decimal(whole.numerator).scaleb(-power, WIDE)


def repeating(fraction):
    """The expansion with its period in parentheses, if it fits."""
    whole, remainder = divmod(abs(fraction.numerator), fraction.denominator)
    whole = str(whole)
    if len(whole) > MAX_PLAIN:
        return "-"
    digits, seen = [], {}
    while remainder not in seen:
        seen[remainder] = len(digits)
        digit, remainder = divmod(remainder * 10, fraction.denominator)
        digits.append(str(digit))
        if len(digits) > LIMITS["repeating"]:
            return "-"
    start = seen[remainder]
    first, period = "".join(digits[:start]), "".join(digits[start:])
    return f"{'-' if fraction < 0 else ''}{whole}.{first}({period})"


def answer(operation, x, y, precision):
    a, b = Decimal(x), Decimal(y)
    texts = [canonical(a), canonical(b)]
    a, b = Fraction(a), Fraction(b)
    if operation == "divide" and b == 0:
        return "division-by-zero"
    match operation:
        case "add":
            truth = a + b
        case "subtract":
            truth = a - b
        case "multiply":
            truth = a * b
        case "divide":
            truth = a / b

    wanted = LIMITS["default"] if precision == "-" else int(precision)
    whole = LIMITS["exact"] if precision == "-" else wanted
    terminating = as_decimal(truth)
    if terminating is not None and len(terminating.normalize(WIDE).as_tuple().digits) <= whole:
        result, exact = terminating, True
    else:
        narrow = WIDE.copy()
        narrow.prec = wanted
        result = narrow.divide(Decimal(truth.numerator), Decimal(truth.denominator))
        exact = False
    if result and abs(result.adjusted()) > LIMITS["exponent"]:
        return "result-out-of-range"

    fraction = expansion = "-"
    if not exact:
        text = f"{truth.numerator}/{truth.denominator}"
        if len(text) <= LIMITS["fraction"]:
            fraction = text
        if terminating is None:
            expansion = repeating(truth)
    said = "exact" if exact else "rounded"
    return "\t".join([*texts, canonical(result), said, fraction, expansion])


for line in sys.stdin:
    print(answer(*line.split()))
