"""UCUM's units that health records use, each by its definition (unitsofmeasure.org, §§28-46)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

PREFIXES: Final[Mapping[str, Fraction]] = {
    name: Fraction(10) ** power
    for name, power in {
        "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
        "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21,
        "y": -24,
    }.items()
}  # fmt: skip

_BASE: Final = ("m", "s", "g", "K", "C", "cd", "mol")

# Units that only compare with themselves: defined by an assay, a logarithm or an agreement.
_APART: Final = (
    "[iU]", "[IU]", "[arb'U]", "[USP'U]", "[GPL'U]", "[MPL'U]", "[APL'U]", "[beth'U]",
    "[anti'Xa'U]", "[todd'U]", "[dye'U]", "[smgy'U]", "[bdsk'U]", "[ka'U]", "[knk'U]",
    "[mclg'U]", "[tb'U]", "[CCID_50]", "[TCID_50]", "[EID_50]", "[PFU]", "[FFU]", "[CFU]",
    "[IR]", "[BAU]", "[AU]", "[Amb'a'1'U]", "[PNU]", "[Lf]", "[D'ag'U]", "[FEU]", "[ELU]",
    "[EU]", "[pH]", "[hnsf'U]", "[drp]", "[diop]", "[MET]", "[HPF]", "[LPF]", "[S]", "[APGAR]",
    "B", "Np", "bit",
)  # fmt: skip

# Symbol: how many of which other unit; "" is a plain number.
_DERIVED: Final[Mapping[str, tuple[str, str]]] = {
    # Plain numbers
    "rad": ("1", ""), "sr": ("1", ""), "%": ("1/100", ""), "[ppth]": ("1/1000", ""),
    "[ppm]": ("1/1000000", ""), "[ppb]": ("1/1000000000", ""), "[pptr]": ("1/1000000000000", ""),
    "deg": ("3.14159265358979323846264338327950288/180", ""), "gon": ("0.9", "deg"),
    "'": ("1/60", "deg"), "''": ("1/60", "'"),
    "[pi]": ("3.14159265358979323846264338327950288", ""),
    "circ": ("360", "deg"),
    # Substance and activity
    "eq": ("1", "mol"), "osm": ("1", "mol"), "kat": ("1", "mol/s"), "U": ("1", "umol/min"),
    "Bq": ("1", "s-1"), "Ci": ("37000000000", "Bq"), "Gy": ("1", "J/kg"), "Sv": ("1", "J/kg"),
    "RAD": ("100", "erg/g"), "REM": ("1", "RAD"), "R": ("0.000258", "C/kg"),
    # Time
    "min": ("60", "s"), "h": ("60", "min"), "d": ("24", "h"), "wk": ("7", "d"),
    "a": ("365.25", "d"), "a_j": ("365.25", "d"), "mo": ("1/12", "a_j"), "mo_j": ("1/12", "a_j"),
    "a_t": ("365.24219", "d"), "a_g": ("365.2425", "d"), "mo_g": ("1/12", "a_g"),
    "mo_s": ("29.53059", "d"),
    # Volume and length
    "L": ("1", "dm3"), "l": ("1", "dm3"), "ar": ("100", "m2"), "Ao": ("1/10", "nm"),
    "[in_i]": ("2.54", "cm"), "[ft_i]": ("12", "[in_i]"), "[yd_i]": ("3", "[ft_i]"),
    "[mi_i]": ("5280", "[ft_i]"), "[nmi_i]": ("1852", "m"), "[sin_i]": ("1", "[in_i]2"),
    "[sft_i]": ("1", "[ft_i]2"), "[cin_i]": ("1", "[in_i]3"), "[in_us]": ("1/12", "[ft_us]"),
    "[ft_us]": ("1200/3937", "m"), "[gal_us]": ("231", "[in_i]3"), "[qt_us]": ("1/4", "[gal_us]"),
    "[pt_us]": ("1/2", "[qt_us]"), "[cup_us]": ("16", "[tbs_us]"), "[foz_us]": ("1/4", "[gil_us]"),
    "[gil_us]": ("1/4", "[pt_us]"), "[tbs_us]": ("1/2", "[foz_us]"),
    "[tsp_us]": ("1/3", "[tbs_us]"), "[foz_m]": ("30", "mL"), "[cup_m]": ("240", "mL"),
    "[tsp_m]": ("5", "mL"), "[tbs_m]": ("15", "mL"), "[Ch]": ("1/3", "mm"), "[Fr]": ("1/3", "mm"),
    # Mass
    "t": ("1000", "kg"), "u": ("1.6605402/1000000000000000000000000", "g"),
    "[gr]": ("64.79891", "mg"), "[lb_av]": ("7000", "[gr]"), "[oz_av]": ("1/16", "[lb_av]"),
    "g%": ("1", "g/dL"), "[stone_av]": ("14", "[lb_av]"),
    "[oz_tr]": ("480", "[gr]"), "[car_m]": ("0.2", "g"),
    # Force, pressure, energy, power
    "N": ("1", "kg.m/s2"), "dyn": ("1", "g.cm/s2"), "Pa": ("1", "N/m2"), "bar": ("100000", "Pa"),
    "atm": ("101325", "Pa"), "m[Hg]": ("133.322", "kPa"), "m[H2O]": ("9.80665", "kPa"),
    "[in_i'Hg]": ("25.4", "mm[Hg]"), "[psi]": ("4.4482216152605", "N/[in_i]2"),
    "J": ("1", "N.m"), "erg": ("1", "dyn.cm"), "cal": ("4.184", "J"), "cal_th": ("4.184", "J"),
    "cal_IT": ("4.1868", "J"), "[Cal]": ("1", "kcal_th"),
    "eV": ("1.60217733/10000000000000000000", "J"),
    "W": ("1", "J/s"), "P": ("1", "dyn.s/cm2"), "St": ("1", "cm2/s"),
    "[HP]": ("745.69987158227022", "W"),
    # Electricity, light
    "A": ("1", "C/s"), "V": ("1", "J/C"), "Ohm": ("1", "V/A"), "S": ("1", "Ohm-1"),
    "F": ("1", "C/V"), "H": ("1", "Wb/A"), "Wb": ("1", "V.s"), "T": ("1", "Wb/m2"),
    "Hz": ("1", "s-1"), "lm": ("1", "cd.sr"), "lx": ("1", "lm/m2"), "By": ("8", "bit"),
    "[kn_i]": ("1", "[nmi_i]/h"), "Gal": ("1", "cm/s2"), "[g]": ("9.80665", "m/s2"),
    "[c]": ("299792458", "m/s"), "[PRU]": ("1", "mm[Hg].s/mL"), "[wood'U]": ("1", "mm[Hg].min/L"),
    "[degR]": ("5/9", "K"),
}  # fmt: skip

METRIC: Final = frozenset(
    (
        *_BASE, "rad", "sr", "eq", "osm", "kat", "U", "Bq", "Ci", "Gy", "Sv", "RAD", "REM", "L",
        "l", "ar", "g%", "t", "u", "N", "dyn", "Pa", "bar", "m[Hg]", "m[H2O]", "J", "erg", "cal",
        "cal_th", "cal_IT", "eV", "W", "P", "St", "A", "V", "Ohm", "S", "F", "H", "Wb", "T", "Hz",
        "lm", "lx", "B", "Np", "bit", "By", "Gal", "[iU]", "[IU]", "[PFU]", "[BAU]", "a_j",
    )
)  # fmt: skip


def _number(text: str) -> Fraction:
    over, _, under = text.partition("/")
    return Fraction(over) / Fraction(under or 1)


# None: the unit is one of the bases itself.
ATOMS: Final[Mapping[str, tuple[Fraction, str | None]]] = {
    **dict.fromkeys((*_BASE, *_APART), (Fraction(1), None)),
    **{name: (_number(number), unit) for name, (number, unit) in _DERIVED.items()},
    "[IU]": (Fraction(1), "[iU]"),
}

# Scales with a zero of their own: (value + shift) × factor is in kelvin.
SHIFTED: Final[Mapping[str, tuple[Fraction, Fraction]]] = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67")),
}
