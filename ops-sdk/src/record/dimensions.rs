//! The values of a metric's dimensions, as one call hands them over: a list of types that the compiler sees through.
//! From the types alone it knows how many series there can be, whether a series can be numbered, and whether the
//! budget of the metric holds; nothing of that is left to do when the call runs.
//!
//! A list is never wrong about its length: the macros count what they wrote, and `fill` writes no more than that.

use std::fmt::Display;

use super::metric::DIMENSIONS_MAX;
use super::{DimensionValue, Label};

/// Series that a metric may have where it says nothing else: those that the compiler can count, and at run time those
/// on one thread.
pub const SERIES_MAX: u32 = 1000;

/// A type with one or more dimensions of which the compiler knows all values. Derive it:
///
/// ```
/// use ops_sdk::prelude::*;
///
/// #[derive(Clone, Copy, Dimensions)]
/// enum Region {
///     #[dimension(rename = "eu-west-1")]
///     Ireland,
///     #[dimension(rename = "us-east-1")]
///     Virginia,
/// }
///
/// #[derive(Dimensions)]
/// struct Order {
///     region: Region,
///     paid: bool,
/// }
///
/// let order = Order { region: Region::Ireland, paid: true };
/// counter!("orders", 1, "Region" => order.region);     // one dimension
/// counter!("orders.placed", 1, ..order as Order);      // those of the struct: `region` and `paid`
/// assert_eq!(<Order as ops_sdk::Dimensions>::CARDINALITY, [2, 2]);
/// ```
///
/// Where all values of a call are of such types, its series is found by its number: nothing is hashed or compared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of dimensions",
    label = "expected a type with `#[derive(Dimensions)]`"
)]
pub trait Dimensions {
    /// The keys. Of an enum it is one, the name of the type; of a struct one for each field.
    const KEYS: &'static [&'static str];
    /// How many values there are for each key.
    const CARDINALITY: &'static [u32];

    /// What tells the way each key's values are numbered.
    #[doc(hidden)]
    const IDS: &'static [Option<&'static Id>] = &[];

    /// The number of this combination of values, less than the product of the cardinalities.
    fn index(&self) -> u32;

    /// The value for the key with this number.
    #[doc(hidden)]
    fn label(&self, key: usize) -> Label<'_>;
}

impl<T: Dimensions + ?Sized> Dimensions for &T {
    const KEYS: &'static [&'static str] = T::KEYS;
    const CARDINALITY: &'static [u32] = T::CARDINALITY;
    const IDS: &'static [Option<&'static Id>] = T::IDS;

    #[inline]
    fn index(&self) -> u32 {
        (**self).index()
    }

    #[inline]
    fn label(&self, key: usize) -> Label<'_> {
        (**self).label(key)
    }
}

/// A value of one dimension that is one of a known number: what the fields of a struct of dimensions are.
#[diagnostic::on_unimplemented(
    message = "the compiler does not know how many values `{Self}` has",
    label = "expected a `bool`, or an enum with `#[derive(Dimensions)]`",
    note = "give such a value where the metric is recorded: `\"Key\" => value`"
)]
pub trait KnownValue: DimensionValue {}

impl KnownValue for bool {}
impl<T: KnownValue + ?Sized> KnownValue for &T {}

/// A way of numbering the values of a type, told from every other by where it lies: statics never share a place.
#[derive(Debug)]
pub struct Id(#[allow(dead_code)] u8); // of some size, so that it lies somewhere

impl Id {
    /// A new one.
    #[must_use]
    #[allow(clippy::new_without_default)] // it is made in statics alone
    pub const fn new() -> Id {
        Id(0)
    }
}

/// That of a literal, which has one value wherever its site is used.
static FIXED: Id = Id::new();

/// The ways in which the values of a call are numbered, one after the other. A site in a generic function meets values
/// of several types: their numbers mean the same if these are the same.
pub(super) type Ids = [Option<&'static Id>; DIMENSIONS_MAX];

const NO_IDS: Ids = [None; DIMENSIONS_MAX];

/// Some of the values of a call.
pub trait Values {
    /// How many they are.
    const LEN: usize;
    /// How many combinations there are of those that are known.
    const KNOWN: u64;
    /// Whether all of them are known, and numbered.
    const ALL_KNOWN: bool;
    /// How each is numbered; the first `LEN` count.
    const IDS: [Option<&'static Id>; DIMENSIONS_MAX];

    /// The number of this combination, less than `KNOWN` if all are known.
    fn index(&self) -> usize;

    /// Writes them to the places from `at` on.
    fn fill<'a, const N: usize>(&'a self, labels: &mut [Label<'a>; N], at: usize);
}

/// No more values.
pub struct End;

/// Values, and those behind them.
pub struct With<P, R>(pub P, pub R);

/// One value, of any type that can be one.
pub struct One<'a, T: ?Sized>(pub &'a T);

/// One value that is always the same: a literal.
pub struct Fixed<'a, T: ?Sized>(pub &'a T);

/// One value by its `Display`.
pub struct Shown<'a>(&'a dyn Display);

/// All values of a set.
pub struct Spread<'a, D: ?Sized>(&'a D);

/// Takes a value by its `Display`.
#[inline]
pub fn shown(value: &dyn Display) -> Shown<'_> {
    Shown(value)
}

/// Takes all values of a set.
#[inline]
pub fn spread<D: Dimensions + ?Sized>(values: &D) -> Spread<'_, D> {
    Spread(values)
}

/// How many values a field of a set has.
#[must_use]
pub const fn known_values<T: KnownValue + ?Sized>() -> u32 {
    T::CARDINALITY
}

const fn just(id: Option<&'static Id>) -> Ids {
    let mut all = NO_IDS;
    all[0] = id;
    all
}

impl Values for End {
    const LEN: usize = 0;
    const KNOWN: u64 = 1;
    const ALL_KNOWN: bool = true;
    const IDS: Ids = NO_IDS;

    #[inline(always)]
    fn index(&self) -> usize {
        0
    }

    #[inline(always)]
    fn fill<'a, const N: usize>(&'a self, _: &mut [Label<'a>; N], _: usize) {}
}

impl<P: Values, R: Values> Values for With<P, R> {
    const LEN: usize = P::LEN + R::LEN;
    const KNOWN: u64 = P::KNOWN.saturating_mul(R::KNOWN);
    const ALL_KNOWN: bool = P::ALL_KNOWN && R::ALL_KNOWN;
    const IDS: Ids = {
        let (mut all, mut at) = (P::IDS, P::LEN);
        while at < DIMENSIONS_MAX {
            all[at] = R::IDS[at - P::LEN];
            at += 1;
        }
        all
    };

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // only looked at where the product is small
    fn index(&self) -> usize {
        self.0.index().wrapping_mul(R::KNOWN as usize).wrapping_add(self.1.index())
    }

    #[inline(always)]
    fn fill<'a, const N: usize>(&'a self, labels: &mut [Label<'a>; N], at: usize) {
        self.0.fill(labels, at);
        self.1.fill(labels, at + P::LEN);
    }
}

impl<T: DimensionValue + ?Sized> Values for One<'_, T> {
    const LEN: usize = 1;
    const KNOWN: u64 = if T::CARDINALITY == 0 { 1 } else { T::CARDINALITY as u64 };
    const ALL_KNOWN: bool = T::CARDINALITY > 0 && T::ID.is_some();
    const IDS: Ids = just(T::ID);

    #[inline(always)]
    fn index(&self) -> usize {
        self.0.index() as usize
    }

    #[inline(always)]
    fn fill<'a, const N: usize>(&'a self, labels: &mut [Label<'a>; N], at: usize) {
        if let Some(label) = labels.get_mut(at) {
            *label = self.0.label();
        }
    }
}

impl<T: DimensionValue + ?Sized> Values for Fixed<'_, T> {
    const LEN: usize = 1;
    const KNOWN: u64 = 1;
    const ALL_KNOWN: bool = true;
    const IDS: Ids = just(Some(&FIXED));

    #[inline(always)]
    fn index(&self) -> usize {
        0
    }

    #[inline(always)]
    fn fill<'a, const N: usize>(&'a self, labels: &mut [Label<'a>; N], at: usize) {
        if let Some(label) = labels.get_mut(at) {
            *label = self.0.label();
        }
    }
}

impl Values for Shown<'_> {
    const LEN: usize = 1;
    const KNOWN: u64 = 1;
    const ALL_KNOWN: bool = false;
    const IDS: Ids = NO_IDS;

    #[inline(always)]
    fn index(&self) -> usize {
        0
    }

    #[inline(always)]
    fn fill<'a, const N: usize>(&'a self, labels: &mut [Label<'a>; N], at: usize) {
        if let Some(label) = labels.get_mut(at) {
            *label = Label::Display(self.0);
        }
    }
}

impl<D: Dimensions + ?Sized> Values for Spread<'_, D> {
    const LEN: usize = D::KEYS.len();
    const KNOWN: u64 = product(D::CARDINALITY);
    const ALL_KNOWN: bool = {
        let (mut all, mut at) = (D::IDS.len() == D::KEYS.len(), 0);
        while at < D::IDS.len() {
            all &= D::IDS[at].is_some();
            at += 1;
        }
        all
    };
    const IDS: Ids = {
        let (mut all, mut at) = (NO_IDS, 0);
        while at < D::IDS.len() && at < DIMENSIONS_MAX {
            all[at] = D::IDS[at];
            at += 1;
        }
        all
    };

    #[inline(always)]
    fn index(&self) -> usize {
        self.0.index() as usize
    }

    #[inline(always)]
    fn fill<'a, const N: usize>(&'a self, labels: &mut [Label<'a>; N], at: usize) {
        let mut key = 0;
        while key < D::KEYS.len() {
            if let Some(label) = labels.get_mut(at + key) {
                *label = self.0.label(key);
            }
            key += 1;
        }
    }
}

const fn product(factors: &[u32]) -> u64 {
    let (mut product, mut at) = (1u64, 0);
    while at < factors.len() {
        product = product.saturating_mul(factors[at] as u64);
        at += 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Set(u32, bool);

    impl Dimensions for Set {
        const KEYS: &'static [&'static str] = &["n", "is"];
        const CARDINALITY: &'static [u32] = &[3, 2];
        const IDS: &'static [Option<&'static Id>] = &[Some(&FIXED), bool::ID];

        fn index(&self) -> u32 {
            self.0 * 2 + u32::from(self.1)
        }

        fn label(&self, key: usize) -> Label<'_> {
            if key == 0 { Label::U64(self.0.into()) } else { Label::Bool(self.1) }
        }
    }

    fn facts<V: Values>(_: &V) -> (usize, u64, bool, usize) {
        (V::LEN, V::KNOWN, V::ALL_KNOWN, V::IDS.iter().flatten().count())
    }

    fn texts(values: &impl Values) -> Vec<String> {
        let mut labels = [Label::Bool(false); 8];
        values.fill(&mut labels, 0);
        let text = |label: &Label<'_>| match label {
            Label::Str(text) => (*text).to_owned(),
            Label::U64(n) => n.to_string(),
            Label::I64(n) => n.to_string(),
            Label::Bool(b) => b.to_string(),
            Label::Display(value) => value.to_string(),
        };
        labels.iter().map(text).collect()
    }

    #[test]
    fn the_compiler_knows_what_there_can_be() {
        let (set, ip) = (Set(0, false), std::net::Ipv4Addr::LOCALHOST);
        assert_eq!(facts(&With(One(&true), With(spread(&set), End))), (3, 12, true, 3));
        assert_eq!(facts(&With(Fixed("x"), With(One(&&false), End))), (2, 2, true, 2));
        assert_eq!(facts(&With(One("x"), With(One(&true), End))), (2, 2, false, 1));
        assert_eq!(facts(&With(shown(&ip), End)), (1, 1, false, 0));
    }

    #[test]
    fn each_combination_has_a_number_of_its_own() {
        let mut seen = [false; 12];
        for (first, n, second) in (0..12u32).map(|i| (i % 2 == 1, i / 4, i / 2 % 2 == 1)) {
            let set = Set(n, second);
            let values = With(One(&first), With(spread(&set), End));
            assert!(!std::mem::replace(&mut seen[values.index()], true));
            let wanted = [first.to_string(), n.to_string(), second.to_string()];
            assert_eq!(texts(&values)[..3], wanted);
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
