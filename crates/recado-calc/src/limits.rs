//! The bounds of everything that is read, computed and answered.
//!
//! An error that meets one of the first group reports it by name and value (`limit()` of each error).

/// One of the bounds, as documentation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its constant's name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What it bounds and why it is as large as it is: its constant's documentation.
    pub about: &'static str,
}

/// Declares the bounds and, from the same lines, the list of them.
macro_rules! limits {
    ($($(#[doc = $about:literal])+ pub const $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[doc = $about])+ pub const $name: $type = $value;)+

        /// All bounds that an answer can meet.
        pub const ALL: &[Limit] = &[$(Limit {
            name: stringify!($name),
            value: $name as u64,
            about: concat!($($about, "\n"),+),
        }),+];
    };
}

limits! {
    /// Most digits of an operand: 1,000.
    ///
    /// The digits of the coefficient as it is written: zeros before the first other digit do not count
    /// (`0.001` has one digit), every digit from there on does, before and after the point, trailing zeros
    /// included (`1.50` has three). A thousand digits are far more than any measurement has, and keep each
    /// step of a calculation within tens of microseconds.
    pub const MAX_OPERAND_DIGITS: usize = 1_000;

    /// Largest exponent of an operand, in either direction: 10,000.
    ///
    /// The exponent of the value in scientific notation, with one digit before the point, however it was
    /// written: `123e9998` is `1.23e10000` and fits, `10e10000` is `1e10001` and does not, and zero fits
    /// under any exponent. So the canonical text of a number is always accepted again.
    pub const MAX_OPERAND_EXPONENT: i64 = 10_000;

    /// Longest text of an operand, in bytes: 12,000; a longer one is refused unread.
    ///
    /// The longest useful text writes the smallest operands out: a sign, `0.`, 9,999 zeros and 1,000
    /// digits, 11,002 bytes together.
    pub const MAX_OPERAND_BYTES: usize = 12_000;

    /// Largest exponent of a result, in either direction, in scientific notation: 20,000.
    ///
    /// Twice an operand's, so that every product and quotient of two powers of ten within bounds is
    /// answered.
    pub const MAX_RESULT_EXPONENT: i64 = 20_000;

    /// Most significant digits that can be asked for: 1,000, as many as an operand can have.
    pub const MAX_PRECISION: u16 = 1_000;

    /// Significant digits of a rounded result when none were asked for: 34, those of IEEE 754 decimal128.
    pub const DEFAULT_PRECISION: u16 = 34;

    /// Most significant digits of a result given whole when no precision was asked for: 1,000, so that
    /// what is answered exactly can be an operand again.
    pub const MAX_EXACT_DIGITS: usize = 1_000;

    /// Longest text in plain notation, in characters with sign and point: 1,000; a longer one is
    /// scientific.
    pub const MAX_PLAIN_CHARS: usize = 1_000;

    /// Longest `fraction`, in characters: 2,002, those of the quotient of two whole operands: a sign, a
    /// bar and twice [`MAX_OPERAND_DIGITS`].
    pub const MAX_FRACTION_CHARS: usize = 2_002;

    /// Most digits after the point in `repeating`, before and inside the parentheses together: 1,000.
    ///
    /// The digits before the point, which must be written as well, are at most [`MAX_PLAIN_CHARS`].
    pub const MAX_REPEATING_DIGITS: usize = 1_000;
}

/// Widest difference of exponents over which two addends are aligned digit by digit: 5,000.
///
/// Beyond it the sum has more than [`MAX_EXACT_DIGITS`] digits, and its reduced fraction more than
/// [`MAX_FRACTION_CHARS`] characters: reducing strips a power of 2 or of 5 off a coefficient that
/// shares it with the lesser addend's, which is below 10^1000, so of at least 5,000 digits at least
/// 4,000 are left. All that the answer shows is the rounded result, and for that the lesser addend
/// counts by its sign alone.
pub(crate) const MAX_ALIGNMENT: i64 = 5_000;
